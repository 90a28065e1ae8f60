import { render } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import VersionTable from '$lib/package/VersionTable.svelte';

const visit = vi.hoisted(() => ({ navigating: { type: null as string | null } }));
vi.mock('$app/state', () => visit);

const one = { format: 'go', name: 'example.com/m', repository: 'local' } as never;
const versions = Array.from({ length: 100 }, (_, i) => ({
	id: String(i),
	version: `v1.${i}.0`,
	state: 'active',
	notes: [],
	published_at: '2026-01-01T00:00:00Z',
	published_by: 'ann',
})) as never;
const rows = () => document.querySelectorAll('tbody tr').length;
const busy = () => document.querySelector('table')?.getAttribute('aria-busy') === 'true';

describe('a long list', () => {
	beforeEach(() => {
		vi.useFakeTimers();
		visit.navigating.type = null;
	});
	afterEach(() => vi.useRealTimers());

	it('shows what fills the screen, and all of it as soon as that is drawn', async () => {
		render(VersionTable, { one, versions });
		expect([rows(), busy()]).toEqual([24, true]);
		await vi.advanceTimersByTimeAsync(300);
		await tick();
		expect([rows(), busy()]).toEqual([100, false]);
	});
	it('is whole at once for somebody who goes back to a place in it', () => {
		visit.navigating.type = 'popstate';
		render(VersionTable, { one, versions });
		expect([rows(), busy()]).toEqual([100, false]);
	});
});
