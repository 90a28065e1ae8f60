import { describe, expect, it } from 'vitest';
import type { Version } from '$lib/api/types';
import { behind } from '$lib/package/behind';

const version = (version: string, more: Partial<Version> = {}) =>
	({ version, state: 'active', prerelease: false, notes: [], ...more }) as Version;

describe('how far a version is behind', () => {
	const versions = [
		version('v1.4.0-rc.1', { prerelease: true }),
		version('v1.3.0'),
		version('v1.2.1-0.2026', { notes: ['pseudo-version'] }),
		version('v1.2.0'),
		version('v1.1.1', { retracted: 'lost data' }),
		version('v1.1.0', { state: 'yanked' }),
		version('v1.0.0'),
	];
	it('counts the releases above it that still stand', () => {
		const found = ['v1.4.0-rc.1', 'v1.3.0', 'v1.2.0', 'v1.1.1', 'v1.0.0'].map((needs) => behind(versions, needs));
		expect(found).toEqual([0, 0, 1, 2, 2]);
	});
	it('is not known of one that is not among them', () => {
		expect(behind(versions, 'v0.1.0')).toBeUndefined();
	});
});
