/**
 * Long lists in two parts: what fills the screen first, the rest as soon as that is drawn.
 *
 * Rows are all there a moment later, so that the browser finds a text in them. They come at once where the page is to stand
 * at another place than its top (going back, loading again, the end of a list): it could not be scrolled there.
 */

import { navigating } from '$app/state';

/** Rows that fill a screen. */
const FIRST = 24;
/** A page in the background is drawn never. */
const AT_LAST_MS = 250;

/** Whether the page is to stand where it stood before, or at its end. */
function isElsewhere(): boolean {
	if (location.hash || /[?&]from=end\b/.test(location.search)) return true;
	if (navigating.type) return navigating.type === 'popstate';
	const [visit] = performance.getEntriesByType?.('navigation') ?? [];
	return visit !== undefined && (visit as PerformanceNavigationTiming).type !== 'navigate';
}

/** The rows to show of these. */
export function inParts<T>(all: () => T[]) {
	let whole = $state(isElsewhere() || scrollY > 0);
	$effect(() => {
		if (whole) return;
		const rest = () => {
			whole = true;
		};
		const timer = setTimeout(rest, AT_LAST_MS);
		const frame = requestAnimationFrame(() => setTimeout(rest));
		return () => {
			clearTimeout(timer);
			cancelAnimationFrame(frame);
		};
	});
	return {
		get rows() {
			return whole ? all() : all().slice(0, FIRST);
		},
		/** Whether rows are still to come. */
		get busy() {
			return !whole && all().length > FIRST;
		},
	};
}
