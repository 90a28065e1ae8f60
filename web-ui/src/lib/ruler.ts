/**
 * Where the ticks of the ruler stand.
 *
 * Time runs from left to right between the first and the last publication. Labels are drawn where they fit: the current
 * version's flag first, then majors, then minors, the newest first. Above [`BINNED`] versions those of one week are one
 * tick, the one that says most.
 */
import type { Version } from './api/types';
import { day } from './text';

/** The drawing's size, and the line that ticks stand on. */
export const RULER = { width: 980, height: 100, base: 76, margin: 34 } as const;

/** Ticks above which a week is one tick. */
export const BINNED = 300;

/** Width of a character of the labels. */
const CHARACTER = 6.6;

const TOPS = { major: 26, minor: 40, patch: 56 } as const;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

type Kind = 'major' | 'minor' | 'patch' | 'pre' | 'dot' | 'retracted';
export type Tick = { x: number; top: number; kind: Kind; title: string };
type Label = { x: number; y: number; text: string; anchor: 'start' | 'middle' | 'end' };
export type Drawing = {
	ticks: Tick[];
	labels: Label[];
	months: { x: number; text: string }[];
	flag?: { x: number; left: number; width: number };
};

/** The drawing of these versions, given the highest first. */
export function layOut(versions: Version[], current: string): Drawing {
	if (versions.length === 0) return { ticks: [], labels: [], months: [] };
	const shown = thin(versions);
	const { place, months } = axis(versions);
	const here = versions.find((version) => version.version === current);
	const flag = here && flagAt(place(here), current);
	return {
		ticks: shown.map((version) => tick(version, place(version))),
		labels: labels(shown, place, flag),
		months,
		flag,
	};
}

type Place = (version: Version) => number;

/** Where a version stands: by its time, or in equal steps when all came within two days (an import, say). */
function axis(versions: Version[]): { place: Place; months: Drawing['months'] } {
	const timeOf = (version: Version) => Date.parse(version.published_at);
	const times = versions.map(timeOf);
	const first = Math.min(...times);
	const last = Math.max(...times);
	const along = (share: number) => Math.round((RULER.margin + share * (RULER.width - 2 * RULER.margin)) * 10) / 10;
	if (last - first < 2 * DAY_MS) {
		const order = new Map([...versions].reverse().map((version, i) => [version.id, i]));
		const steps = Math.max(1, versions.length - 1);
		return { place: (version) => along((order.get(version.id) ?? 0) / steps), months: [] };
	}
	const at = (time: number) => along((time - first) / (last - first));
	return { place: (version) => at(timeOf(version)), months: months(first, last, at) };
}

function kindOf(version: Version): Kind {
	if (version.retracted !== undefined || version.state === 'yanked' || version.state === 'blocked') return 'retracted';
	if (version.notes.some((note) => note.startsWith('pseudo'))) return 'dot';
	if (version.prerelease) return 'pre';
	return stepOf(version);
}

function stepOf(version: Version): keyof typeof TOPS {
	return version.step === 'major' || version.step === 'minor' ? version.step : 'patch';
}

function tick(version: Version, x: number): Tick {
	const kind = kindOf(version);
	const words = kind === 'retracted' ? ' · retracted' : '';
	const title = `${version.version} · ${day(version.published_at)}${words}`;
	return { x, top: TOPS[stepOf(version)] + (kind === 'retracted' ? 4 : 0), kind, title };
}

const WEIGHT: Record<Kind, number> = { retracted: 5, major: 4, minor: 3, patch: 2, pre: 1, dot: 0 };

/** One version a week, the one that says most, when there are too many. */
function thin(versions: Version[]): Version[] {
	if (versions.length <= BINNED) return versions;
	const weeks = new Map<number, Version>();
	for (const version of versions) {
		const week = Math.floor(Date.parse(version.published_at) / WEEK_MS);
		const held = weeks.get(week);
		if (!held || WEIGHT[kindOf(version)] > WEIGHT[kindOf(held)]) weeks.set(week, version);
	}
	return [...weeks.values()];
}

function flagAt(x: number, text: string) {
	const width = Math.ceil(text.length * CHARACTER) + 12;
	return { x, left: Math.max(0, x - width), width };
}

/** Labels that overlap neither each other nor the flag. */
function labels(versions: Version[], place: Place, flag: Drawing['flag']): Label[] {
	const taken: [from: number, to: number][] = flag ? [[flag.left, flag.x]] : [];
	const made: Label[] = [];
	for (const kind of ['major', 'minor'] as const) {
		for (const version of versions.filter((one) => kindOf(one) === kind)) {
			const half = (version.version.length * CHARACTER) / 2;
			const x = place(version);
			const [from, to] = [x - half - 4, x + half + 4];
			if (from < 0 || to > RULER.width || taken.some(([a, b]) => from < b && to > a)) continue;
			taken.push([from, to]);
			made.push({ x, y: kind === 'major' ? 20 : 34, text: version.version, anchor: 'middle' });
		}
	}
	return made;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Names of months, at most nine, January with its year. */
function months(first: number, last: number, place: (time: number) => number): Drawing['months'] {
	const begin = new Date(first);
	const all: Date[] = [];
	for (let at = Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1); at <= last; ) {
		const date = new Date(at);
		all.push(date);
		at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
	}
	const every = [1, 3, 6, 12, 24, 60, 120].find((step) => all.length / step <= 9) ?? 240;
	const kept = all.filter((date) => (date.getUTCFullYear() * 12 + date.getUTCMonth()) % every === 0);
	return kept.map((date) => ({
		x: place(date.getTime()),
		text: date.getUTCMonth() === 0 ? String(date.getUTCFullYear()) : (MONTHS[date.getUTCMonth()] ?? ''),
	}));
}
