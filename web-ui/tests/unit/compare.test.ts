import { describe, expect, it } from 'vitest';
import type { Version } from '$lib/api/types';
import { below, needsBetween } from '$lib/package/compare';

const needs = (...all: [string, string][]) => ({
	dependencies: all.map(([name, version]) => ({ name, version, kind: '' })),
});

describe('two versions', () => {
	it('differ in the needs that came, went or moved', () => {
		const found = needsBetween(
			needs(['a', 'v1.0.0'], ['b', 'v1.0.0'], ['c', 'v1.0.0']),
			needs(['d', 'v1.0.0'], ['b', 'v1.1.0'], ['c', 'v1.0.0']),
		);
		expect(found).toEqual([
			{ name: 'a', before: 'v1.0.0', after: undefined },
			{ name: 'b', before: 'v1.0.0', after: 'v1.1.0' },
			{ name: 'd', before: undefined, after: 'v1.0.0' },
		]);
	});
	it('are the one that is shown and the next release below it', () => {
		const version = (version: string, more: Partial<Version> = {}) =>
			({ version, state: 'active', prerelease: false, notes: [], ...more }) as Version;
		const all = [
			version('v1.2.0'),
			version('v1.2.0-rc.1', { prerelease: true }),
			version('v1.1.0', { retracted: '' }),
			version('v1.0.0'),
		];
		expect(below(all, 'v1.2.0')).toBe('v1.0.0');
		expect(below(all, 'v1.0.0')).toBe('v1.2.0');
		expect(below(all.slice(0, 2), 'v1.2.0')).toBe('v1.2.0-rc.1');
		expect(below(all.slice(0, 1), 'v1.2.0')).toBeUndefined();
	});
});
