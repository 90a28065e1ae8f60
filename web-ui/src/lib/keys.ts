/**
 * The keyboard: single keys that press what is visible on the page.
 *
 * A key finds its control by an attribute: `data-keys` is the table that `j` and `k` go through, `data-copy-main` the
 * button that `c` presses, `data-copy-link` that of `y`, `data-older` and `data-newer` the links of `[` and `]`, `data-first` and `data-last` those of
 * `Home` and `End`. Typing comes first: in a field only `Escape` counts. Whoever needs the keys for something else
 * switches them off in the profile (WCAG 2.1.4).
 */

import { goto } from '$app/navigation';
import { at } from './links';

const SETTING = 'keeper-keys';

/** What each key does, for the page that lists them. */
export const KEYS: [keys: string, does: string][] = [
	['/', 'search'],
	['j', 'next row'],
	['k', 'previous row'],
	['Enter', 'open the row'],
	['c', 'copy the main command of the row or page'],
	['y', 'copy the link of this page'],
	['[', 'older version'],
	[']', 'newer version'],
	['Home', 'first page of a list'],
	['End', 'last page of a list of versions'],
	['g r', 'repositories'],
	['g s', 'set up'],
	['g u', 'upload'],
	['g a', 'administration'],
	['?', 'this list'],
	['Esc', 'leave a field'],
];

const PLACES: Record<string, string> = { r: '/', s: '/setup', u: '/upload', a: '/admin/repositories' };

/** Whether single keys count. */
export function keysAreOn(): boolean {
	try {
		return localStorage.getItem(SETTING) !== 'off';
	} catch {
		return true;
	}
}

/** Switches single keys on or off, in this browser. */
export function switchKeys(on: boolean): void {
	try {
		if (on) localStorage.removeItem(SETTING);
		else localStorage.setItem(SETTING, 'off');
	} catch {
		// Without storage they stay as they are.
	}
}

let afterG = false;

/** Handles a key that was pressed anywhere. */
export function onKey(event: KeyboardEvent): void {
	const typing = event.target instanceof HTMLElement && event.target.closest('input, select, textarea');
	if (typing) {
		if (event.key === 'Escape') typing instanceof HTMLElement && typing.blur();
		return;
	}
	if (event.metaKey || event.ctrlKey || event.altKey || !keysAreOn()) return;
	const place = afterG ? PLACES[event.key] : undefined;
	afterG = event.key === 'g' && !afterG;
	if (place !== undefined) {
		void goto(at(place));
		return;
	}
	const act = ACTS[event.key];
	if (act?.()) event.preventDefault();
}

/** What a key does; false when there is nothing on this page for it. */
const ACTS: Record<string, () => boolean> = {
	'/': () => focus(document.getElementById('q')),
	j: () => moveRow(1),
	k: () => moveRow(-1),
	c: copyMain,
	y: () => press('[data-copy-link]'),
	'[': () => press('[data-older]'),
	']': () => press('[data-newer]'),
	Home: () => press('[data-first]'),
	End: () => press('[data-last]'),
	'?': () => {
		void goto(at('/help/keys'));
		return true;
	},
};

function focus(element: HTMLElement | null): boolean {
	element?.focus();
	return element !== null;
}

function press(selector: string): boolean {
	const control = document.querySelector<HTMLElement>(selector);
	control?.click();
	return control !== null;
}

/** The row that holds the focus, among those of the page's list. */
function rows(): { all: HTMLElement[]; at: number } {
	const all = [...document.querySelectorAll<HTMLElement>('[data-keys] tbody tr')];
	return { all, at: all.findIndex((row) => row.contains(document.activeElement)) };
}

function moveRow(by: number): boolean {
	const { all, at: now } = rows();
	const next = all[Math.min(all.length - 1, Math.max(0, now + by))];
	return focus(next?.querySelector<HTMLElement>('a[href]') ?? null);
}

function copyMain(): boolean {
	const { all, at: now } = rows();
	const within = all[now]?.querySelector<HTMLElement>('[data-copy-main]');
	if (within) {
		within.click();
		return true;
	}
	return press('[data-copy-main]');
}
