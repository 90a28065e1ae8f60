import { describe, expect, it } from 'vitest';
import type { Version } from '$lib/api/types';
import { BINNED, layOut, RULER } from '$lib/ruler';

function version(name: string, published_at: string, more: Partial<Version> = {}): Version {
	const plain = {
		state: 'active',
		latest: false,
		prerelease: false,
		step: 'patch',
		notes: [],
		pinned: false,
		published_by: 'ann',
	};
	return { id: name, version: name, published_at, ...plain, ...more };
}

describe('the ruler', () => {
	it('draws each kind in its shape, along time', () => {
		const { ticks, flag } = layOut(
			[
				version('v1.1.0', '2026-04-01T00:00:00Z', { step: 'minor' }),
				version('v1.0.1', '2026-03-01T00:00:00Z', { retracted: 'lost data' }),
				version('v1.0.1-rc.1', '2026-02-01T00:00:00Z', { prerelease: true }),
				version('v1.0.1-0.2026', '2026-01-15T00:00:00Z', { prerelease: true, notes: ['pseudo-version'] }),
				version('v1.0.0', '2026-01-01T00:00:00Z', { step: 'major' }),
			],
			'v1.1.0',
		);
		expect(ticks.map((tick) => tick.kind)).toEqual(['minor', 'retracted', 'pre', 'dot', 'major']);
		expect(ticks[1]?.title).toBe('v1.0.1 · 2026-03-01 · retracted');
		expect(ticks[4]?.x).toBe(RULER.margin);
		expect(ticks[0]?.x).toBe(RULER.width - RULER.margin);
		expect(flag?.x).toBe(ticks[0]?.x);
	});
	it('spreads what was imported at once', () => {
		const { ticks, months } = layOut(
			['v3', 'v2', 'v1'].map((name) => version(name, '2026-01-01T00:00:00Z')),
			'v3',
		);
		expect(months).toEqual([]);
		expect(ticks.map((tick) => tick.x)).toEqual([946, 490, 34]);
	});
	it('puts the versions of a week together when there are many', () => {
		const begin = Date.parse('2020-01-01T00:00:00Z');
		const many = Array.from({ length: 10_000 }, (_, i) =>
			version(`v0.0.${i}`, new Date(begin + i * 3_600_000).toISOString()),
		);
		expect(layOut(many, 'v0.0.9').ticks.length).toBeLessThan(BINNED);
	});
	it('never lets labels overlap', () => {
		const near = Array.from({ length: 40 }, (_, i) =>
			version(`v${i}.0.0`, `2026-01-${String((i % 28) + 1).padStart(2, '0')}T00:00:00Z`, { step: 'major' }),
		);
		const spans = layOut(near, 'v0.0.0').labels.map(
			({ x, text }) => [x - (text.length * 6.6) / 2, x + (text.length * 6.6) / 2] as const,
		);
		spans.sort((a, b) => a[0] - b[0]);
		for (let i = 1; i < spans.length; i += 1) expect(spans[i]?.[0]).toBeGreaterThan(spans[i - 1]?.[1] ?? 0);
	});
});
