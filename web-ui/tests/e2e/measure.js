// What the pages take, for the benchmark: milliseconds and numbers, medians of the rounds. Judges nothing.
import { settled } from './browser.js';

/** As a small machine: the processor is slowed down by so much. */
const SLOWER = 4;

/** Notes when paint and layout happened, and when the first row of a table stood. */
function watch() {
	globalThis.noted = { lcp: 0, cls: 0, rows: 0 };
	new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) globalThis.noted.lcp = entry.startTime;
	}).observe({ type: 'largest-contentful-paint', buffered: true });
	new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.noted.cls += entry.value;
	}).observe({ type: 'layout-shift', buffered: true });
	new MutationObserver((_, observer) => {
		if (!document.querySelector('main tbody tr')) return;
		globalThis.noted.rows = performance.now();
		observer.disconnect();
	}).observe(document, { childList: true, subtree: true });
}

function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)];
}

const rounded = (figures) =>
	Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(3))]));

/** Medians of what `measure` finds out in each round, in a browser that knows nothing yet. */
async function rounds(browser, number, path, measure) {
	const found = [];
	for (let round = 0; round < number; round += 1) {
		const page = await browser.open(undefined, { expect: [404] });
		await page.addInitScript(watch);
		found.push(await measure(page, path));
		await page.context().close();
	}
	return rounded(Object.fromEntries(Object.keys(found[0]).map((key) => [key, median(found.map((one) => one[key]))])));
}

/** A cold first visit on a slow machine. */
async function visit(page, path) {
	const inspector = await page.context().newCDPSession(page);
	await inspector.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
	await page.goto(path);
	await page.locator('main tbody tr').first().waitFor();
	await settled(page);
	return page.evaluate(() => {
		const files = performance.getEntriesByType('resource');
		const calls = files.filter((file) => file.name.includes('/api/'));
		const { lcp, cls, rows } = globalThis.noted;
		return {
			'LCP, ms': lcp,
			CLS: cls,
			'first rows, ms': rows,
			requests: files.length + 1,
			'scripts, kB sent':
				files.filter((file) => file.name.endsWith('.js')).reduce((sum, file) => sum + file.transferSize, 0) / 1000,
			'slowest call to the API, ms': Math.max(0, ...calls.map((call) => call.responseEnd - call.requestStart)),
			'rows in the document': document.querySelectorAll('tr').length,
		};
	});
}

/** From the last keystroke in a filter to rows that all fit it. */
async function filter(page, { path, label, text, row }) {
	await page.goto(path);
	await page.locator(row).first().waitFor();
	await settled(page);
	const field = page.getByLabel(label);
	await field.fill(text.slice(0, -1));
	await page.waitForURL('**q=*');
	await settled(page);
	await field.evaluate((input) => {
		input.addEventListener('input', () => {
			globalThis.typed = performance.now();
		});
	});
	await field.press('End');
	await field.pressSequentially(text.slice(-1));
	return page.evaluate(
		({ row, text }) =>
			new Promise((done) => {
				const fits = () => {
					const rows = [...document.querySelectorAll(row)];
					return rows.length > 0 && rows.every((one) => (one.title || one.textContent).includes(text));
				};
				const look = () =>
					fits()
						? done({ 'keystroke to rows, ms': performance.now() - globalThis.typed })
						: requestAnimationFrame(look);
				look();
			}),
		{ row, text },
	);
}

/** The longest frame while the page is scrolled from its top to its end. */
async function scroll(page, path) {
	await page.goto(path);
	await page.locator('main tbody tr').first().waitFor();
	await settled(page);
	return page.evaluate(async () => {
		let longest = 0;
		let before = await new Promise(requestAnimationFrame);
		for (let at = 0; at < document.body.scrollHeight; at += 120) {
			scrollTo(0, at);
			const now = await new Promise(requestAnimationFrame);
			longest = Math.max(longest, now - before);
			before = now;
		}
		return { 'longest frame, ms': longest };
	});
}

/** `visits` are names and paths; `filters` what is typed where; `scrolls` what is scrolled. */
export async function pages(browser, { visits = {}, filters = {}, scrolls = {}, number }) {
	const rows = [];
	for (const [what, path] of Object.entries(visits))
		rows.push({
			what: `${what}, cold, processor ${SLOWER} times slower`,
			...(await rounds(browser, number, path, visit)),
		});
	for (const [what, how] of Object.entries(filters))
		rows.push({ what, ...(await rounds(browser, number, how, filter)) });
	for (const [what, path] of Object.entries(scrolls))
		rows.push({ what, ...(await rounds(browser, number, path, scroll)) });
	return rows;
}
