import { describe, expect, it } from 'vitest';
import { codesOf } from '$lib/errors';
import { entriesOf } from '$lib/folders/entries';
import { looksLikeText } from '$lib/folders/preview';
import { textOf } from '$lib/formats';

describe('names of Go modules', () => {
	it('are loud in their last part, with the major version behind it', () => {
		const parts = textOf('go').parts;
		expect(parts('git.corp.example/platform/ledger-kit/v3')).toEqual({
			before: 'git.corp.example/platform/',
			loud: 'ledger-kit',
			after: 'v3',
		});
		expect(parts('gopkg.in/yaml.v3')).toEqual({ before: 'gopkg.in/', loud: 'yaml.v3', after: '' });
		expect(parts('a.b/v1')).toEqual({ before: 'a.b/', loud: 'v1', after: '' });
		expect(parts('single')).toEqual({ before: '', loud: 'single', after: '' });
	});
	it('give the lines of go.sum, as far as sums are known', () => {
		const lines = textOf('go').sumLines;
		const one = { name: 'a.b/c', version: 'v1.0.0' };
		expect(lines?.({ ...one, checksums: { h1: 'h1:x=', 'go.mod h1': 'h1:y=' } })).toBe(
			'a.b/c v1.0.0 h1:x=\na.b/c v1.0.0/go.mod h1:y=',
		);
		expect(lines?.({ ...one, checksums: {} })).toBe('');
	});
});

it('a format that these pages do not know is shown in plain words', () => {
	expect(textOf('cargo')).toMatchObject({ title: 'cargo', noun: ['package', 'packages'] });
	expect(textOf('cargo').install).toBeUndefined();
});

it('folders come first and say how much is below them', () => {
	const files = [
		{ name: 'b.txt', size: 1 },
		{ name: 'linux/amd64/x', size: 2 },
		{ name: 'linux/y', size: 3 },
	];
	expect(entriesOf(files, '')).toEqual([
		{ name: 'linux', path: 'linux', size: 5, files: 2 },
		{ name: 'b.txt', path: 'b.txt', size: 1, files: 0 },
	]);
	expect(entriesOf(files, 'linux').map((entry) => entry.path)).toEqual(['linux/amd64', 'linux/y']);
});

it('bytes that are no text are told from text', () => {
	expect(looksLikeText('grüße\n')).toBe(true);
	expect(looksLikeText('\u0000ELF')).toBe(false);
	expect(looksLikeText('\uFFFD\uFFFDa')).toBe(false);
});

it('codes are read from the generated page', () => {
	const page =
		'# Errors\n\n## The platform\n\n| code | status | what | do |\n|---|---|---|---|\n| `token_in_url` | 400 | A token | Send &lt;token> |\n\n## Empty\n';
	const code = { name: 'token_in_url', status: '400', meaning: 'A token', remedy: 'Send <token>' };
	expect(codesOf(page)).toEqual([{ title: 'The platform', codes: [code] }]);
});
