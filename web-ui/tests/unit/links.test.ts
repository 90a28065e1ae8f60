import { describe, expect, it } from 'vitest';
import { parsePackage, safeNext, toFolder, toPackage, withQuery } from '$lib/links';

const place = { format: 'go', repository: 'local' };

describe('addresses of packages', () => {
	it('hold names as they are and encode what would change their meaning', () => {
		const cases = [
			['github.com/Azure/sdk~x', 'v1.0.0+incompatible', '/r/go/local/p/github.com/Azure/sdk~x@v1.0.0+incompatible'],
			['a.b/c', undefined, '/r/go/local/p/a.b/c'],
			['a b/c?d#e%f', '1', '/r/go/local/p/a%20b/c%3Fd%23e%25f@1'],
		] as const;
		for (const [name, version, path] of cases) expect(toPackage({ ...place, name }, version)).toBe(path);
		expect(toFolder({ format: 'generic', repository: 'tools' }, 'a/1/x y.txt')).toBe(
			'/r/generic/tools/f/a/1/x%20y.txt',
		);
	});
	it('are split at the last @', () => {
		expect(parsePackage('a.b/c@v1.2.3')).toEqual({ name: 'a.b/c', version: 'v1.2.3' });
		expect(parsePackage('@scope/c@1')).toEqual({ name: '@scope/c', version: '1' });
		expect(parsePackage('@scope/c')).toEqual({ name: '@scope/c', version: undefined });
		expect(parsePackage('a.b/c')).toEqual({ name: 'a.b/c', version: undefined });
	});
	it('keep other parameters and drop empty ones', () => {
		const url = new URL('https://h/r/go/local?q=a&cursor=x');
		expect(withQuery(url, { cursor: undefined, sort: 'name' })).toBe('/r/go/local?q=a&sort=name');
		expect(withQuery(url, { q: '', cursor: '' })).toBe('/r/go/local');
	});
});

describe('where to go after signing in', () => {
	it('is a path of these pages and nothing else', () => {
		const origin = 'https://keeper.example';
		const foreign = [
			'https://evil.example',
			'//evil.example',
			'/\\evil.example',
			'/\t/evil.example',
			'javascript:alert(1)',
			'',
			null,
		];
		for (const next of foreign) expect(safeNext(next, origin)).toBe('/');
		expect(safeNext('/r/go/local?q=a#b', origin)).toBe('/r/go/local?q=a#b');
	});
});
