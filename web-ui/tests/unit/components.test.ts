import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { createRawSnippet } from 'svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Refusal } from '$lib/api/failure';
import Command from '$lib/components/Command.svelte';
import Failed from '$lib/components/Failed.svelte';
import Later from '$lib/components/Later.svelte';

const problem = {
	type: 'about:blank',
	title: 'The package does not exist',
	status: 404,
	code: 'package_not_found',
	detail: 'There is no <b>x</b>.',
	hint: 'List them.',
	errors: [],
	request_id: 'XFSCC7D027MF',
};

beforeEach(() => {
	vi.stubGlobal(
		'IntersectionObserver',
		class {
			observe() {}
			disconnect() {}
		},
	);
});

describe('a command', () => {
	it('is copied without its prompts', async () => {
		const user = userEvent.setup();
		render(Command, { text: 'go env -w GOPROXY=x\n# a comment\n', what: 'Go settings' });
		expect(document.querySelectorAll('.p')).toHaveLength(1);
		await user.click(screen.getByRole('button', { name: 'Copy Go settings' }));
		expect(await navigator.clipboard.readText()).toBe('go env -w GOPROXY=x\n# a comment\n');
		expect(screen.getByRole('button').textContent?.trim()).toBe('Copied');
	});
});

describe('a failure', () => {
	it('is told in the words of the server, as text, with its number', async () => {
		const retry = vi.fn();
		render(Failed, { fault: new Refusal(404, problem), retry });
		expect(screen.getByRole('alert').textContent).toContain('There is no <b>x</b>.');
		expect(screen.getByText('XFSCC7D027MF')).toBeTruthy();
		await userEvent.setup().click(screen.getByRole('button', { name: 'Try again' }));
		expect(retry).toHaveBeenCalledOnce();
	});
});

describe('a part that is loaded later', () => {
	const children = createRawSnippet<[string]>((value) => ({ render: () => `<p>${value()}</p>` }));
	it('shows its own failure and loads again', async () => {
		const load = vi.fn().mockRejectedValueOnce(new Refusal(500, problem)).mockResolvedValueOnce('the rows');
		render(Later<string>, { what: 'rows', load, now: true, children });
		await userEvent.setup().click(await screen.findByRole('button', { name: 'Try again' }));
		expect(await screen.findByText('the rows')).toBeTruthy();
	});
	it('waits until it is near the screen', () => {
		const load = vi.fn();
		render(Later<string>, { what: 'rows', load, children });
		expect(load).not.toHaveBeenCalled();
	});
});
