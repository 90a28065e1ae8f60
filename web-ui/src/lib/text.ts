/** How numbers, sizes and times are written. */

/** A narrow space that does not break: between groups of digits, and between a number and its unit. */
const THIN = '\u202f';

/** A count, with its digits in groups: `41 208`. */
export function count(value: number): string {
	return String(Math.trunc(value)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'];

/** A size: exact up to a megabyte, then with three digits, in powers of 1000. */
export function bytes(value: number): string {
	if (value < 1_000_000) return `${count(value)}${THIN}B`;
	let size = value / 1000;
	let unit = 0;
	while (size >= 999.5 && unit < UNITS.length - 1) {
		size /= 1000;
		unit += 1;
	}
	return `${size >= 100 ? Math.round(size) : Number(size.toPrecision(3))}${THIN}${UNITS[unit]}`;
}

/** A word for so many things: `1 version`, `47 versions`. */
export function many(value: number, one: string, several = `${one}s`): string {
	return `${count(value)} ${value === 1 ? one : several}`;
}

/** A word as a label begins: `module` is `Module`. */
export function capitalised(word: string): string {
	return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** A day in UTC: `2026-11-20`. */
export function day(time: string): string {
	return time.slice(0, 10);
}

/** A time in UTC to the minute: `2026-11-20 09:14 UTC`. */
export function minute(time: string): string {
	return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** A time in UTC to the second: `2026-11-20 09:14:02Z`. */
export function second(time: string): string {
	return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

const STEPS: [unit: string, seconds: number][] = [
	['year', 31_556_952],
	['month', 2_629_746],
	['week', 604_800],
	['day', 86_400],
	['hour', 3600],
	['minute', 60],
	['second', 1],
];

/** How far away a time is, in the largest unit that fits: `2 days ago`, `in 90 days`, `now`. */
export function relative(time: string, now = Date.now()): string {
	const seconds = Math.round((new Date(time).getTime() - now) / 1000);
	const distance = Math.abs(seconds);
	// Up to four months, days say more of an end than months do.
	const steps = seconds > 0 && distance < 120 * 86_400 ? STEPS.slice(3) : STEPS;
	const step = steps.find(([, size]) => distance >= size);
	if (!step) return 'now';
	const words = many(Math.floor(distance / step[1]), step[0]);
	return seconds < 0 ? `${words} ago` : `in ${words}`;
}

/** How long something takes, in its largest unit: `3 s`, `4 min`, `2 h`. */
export function duration(seconds: number): string {
	if (seconds < 90) return `${Math.ceil(seconds)}${THIN}s`;
	if (seconds < 5400) return `${Math.round(seconds / 60)}${THIN}min`;
	if (seconds < 129_600) return `${Math.round(seconds / 3600)}${THIN}h`;
	return `${Math.round(seconds / 86_400)}${THIN}d`;
}

/** Characters that turn the order of what follows them around: a text that holds them is not what it looks like. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** A text of somebody else's, with the characters that turn its order shown as what they are: `<U+202E>`. */
export function visible(text: string): string {
	return text.replace(TURNING, (char) => `<U+${char.charCodeAt(0).toString(16).toUpperCase()}>`);
}
