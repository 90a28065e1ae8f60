import { describe, expect, it } from 'vitest';
import { bytes, count, duration, many, minute, relative, second, visible } from '$lib/text';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

describe('numbers', () => {
	it('have their digits in groups of three', () => {
		expect([0, 999, 1000, 41208, 1234567].map((value) => plain(count(value)))).toEqual([
			'0',
			'999',
			'1 000',
			'41 208',
			'1 234 567',
		]);
	});
	it('are followed by one thing or several', () => {
		expect(many(1, 'version')).toBe('1 version');
		expect(plain(many(2000, 'entry', 'entries'))).toBe('2 000 entries');
	});
	it('are exact bytes up to a megabyte, then three digits', () => {
		const sizes = {
			0: '0 B',
			999999: '999 999 B',
			1000000: '1 MB',
			12400000: '12.4 MB',
			999600000: '1 GB',
			318000000000: '318 GB',
		};
		for (const [size, text] of Object.entries(sizes)) expect(plain(bytes(Number(size)))).toBe(text);
	});
	it('of seconds are told in the largest unit', () => {
		expect([3, 240, 7200, 259_200].map((value) => plain(duration(value)))).toEqual(['3 s', '4 min', '2 h', '3 d']);
	});
});

describe('times', () => {
	const now = Date.parse('2026-11-20T09:14:02Z');
	it('are told by their distance', () => {
		const cases = {
			'2026-11-20T09:14:02Z': 'now',
			'2026-11-20T09:13:58Z': '4 seconds ago',
			'2026-11-18T09:00:00Z': '2 days ago',
			'2026-03-01T00:00:00Z': '8 months ago',
			'2027-02-18T09:14:02Z': 'in 90 days',
			'2028-01-01T00:00:00Z': 'in 1 year',
		};
		for (const [time, text] of Object.entries(cases)) expect(relative(time, now)).toBe(text);
	});
	it('are exact in UTC', () => {
		expect(minute('2026-11-20T10:14:02.9+01:00')).toBe('2026-11-20 09:14 UTC');
		expect(second('2026-11-20T09:14:02.9Z')).toBe('2026-11-20 09:14:02Z');
	});
});

describe("a text of somebody else's", () => {
	it('shows what would turn its order, and nothing else is touched', () => {
		expect(visible('a\u202eb\u2066c')).toBe('a<U+202E>b<U+2066>c');
		expect(visible('<b>שלום</b>\n')).toBe('<b>שלום</b>\n');
	});
});
