// Very much: lists stay small, whole, and flat in memory.
import { readFileSync } from 'node:fs';
import { holds, same, settled, textOf, visit, wholePage } from './browser.js';

/** Rows of a table that may be in the document at any time. */
const ROWS = 400;
/** What the browser's memory may grow by after the first pages. */
const GROWTH_BYTES = 8_000_000;

/** The name of the package of a number, as the test's rows have it. */
function nameOf(number) {
	return `example.com/team${String(number % 997).padStart(3, '0')}/package${String(number).padStart(6, '0')}`;
}

async function fewRows(page) {
	const rows = await page.locator('tr').count();
	holds(rows <= ROWS, `${rows} rows in the document`);
}

/** Very many versions: the highest first, the lowest by End, each by its number. */
export async function versions(browser, { name, highest, lowest, needle }) {
	// Nothing was uploaded, so there is no README.
	const page = await browser.open(`/r/go/local/p/${name}`, { expect: [404] });
	await page.locator('#versions').getByText(highest, { exact: true }).first().waitFor();
	await wholePage(page);
	await fewRows(page);
	await page.getByRole('link', { name: 'All versions' }).click();
	await page.waitForURL('**view=versions*');
	const shown = page.locator('tbody a.ver');
	await page.getByRole('link', { name: /^Next/ }).waitFor();
	same(await textOf(shown.first()), highest, 'the first row');
	await browser.look(page, 'a page of many versions');
	await page.keyboard.press('End');
	await page.waitForURL('**from=end*');
	const last = page.getByRole('link', { name: lowest, exact: true });
	await last.waitFor();
	same(await textOf(shown.last()), lowest, 'the last row');
	await page.waitForFunction((text) => {
		const links = [...document.querySelectorAll('tbody a.ver')];
		const box = links.find((link) => link.textContent.trim() === text)?.getBoundingClientRect();
		return box && box.top >= 0 && box.bottom <= innerHeight;
	}, lowest);
	await fewRows(page);
	const above = await textOf(shown.first());
	await page.getByRole('link', { name: /^Previous/ }).click();
	await page.getByRole('link', { name: above, exact: true }).waitFor({ state: 'detached' });
	const numbers = (await shown.allInnerTexts()).map((text) => Number(text.trim().split('.')[1]));
	same(numbers.at(-1), Number(above.split('.')[1]) + 1, 'the page before ends where the last one begins');
	same(
		numbers,
		[...numbers].sort((a, b) => b - a),
		'the order on a page that was counted from the end',
	);
	await page.keyboard.press('Home');
	await page.getByRole('link', { name: highest, exact: true }).waitFor();
	await page.getByLabel('Filter versions').fill(needle);
	await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
	same(await textOf(shown), needle, 'the version found');
}

/** Very many packages: pages are turned while others publish; nothing comes twice, nothing is left out. */
export async function packages(browser, { packages, pages, archive }, { token }) {
	const page = await browser.open('/r/go/local?sort=name');
	const inspector = await page.context().newCDPSession(page);
	const heap = async () => {
		await inspector.send('HeapProfiler.collectGarbage');
		return (await inspector.send('Runtime.getHeapUsage')).usedSize;
	};
	const file = { name: 'm.zip', mimeType: 'application/zip', buffer: readFileSync(archive) };
	async function publish(number) {
		const name = `example.com/team${String((number * 37) % 997).padStart(3, '0')}/zadded${number}`;
		const multipart = { format: 'go', repository: 'local', name, version: 'v1.0.0', fork: 'true', file };
		const answer = await page.request.post('/api/artifacts', {
			multipart,
			headers: { Authorization: `Bearer ${token}` },
		});
		same(answer.status(), 201, `publishing ${name}`);
	}
	const titles = () => page.locator('tbody a.path').evaluateAll((all) => all.map((one) => one.title));
	const next = page.getByRole('link', { name: /^Next/ });
	const seen = new Set();
	let early;
	for (let turned = 0; turned < pages; turned += 1) {
		const names = await titles();
		holds(names.length <= 100, `${names.length} packages on a page`);
		for (const name of names) {
			holds(!seen.has(name), `${name} came twice`);
			seen.add(name);
		}
		if (turned === 5) early = await heap();
		if ((await next.count()) === 0) break;
		if (turned < 100) await publish(turned);
		await next.click();
		await page.waitForFunction((before) => {
			const first = document.querySelector('tbody a.path')?.title;
			return first !== undefined && first !== before;
		}, names[0]);
	}
	const grown = (await heap()) - early;
	holds(grown < GROWTH_BYTES, `the browser's memory grew by ${grown} bytes`);
	const last = [...seen].at(-1);
	const passed = Array.from({ length: packages }, (_, number) => nameOf(number)).filter((name) => name <= last);
	holds(passed.length > pages * 50 || passed.length === packages, `only ${passed.length} packages were passed`);
	const missed = passed.filter((name) => !seen.has(name));
	same(missed.slice(0, 3), [], 'packages left out that were there from the first page to the last');
	await fewRows(page);
	await settled(page);
	await visit(page, '/r/go/local?q=package001234');
	same((await titles()).length, 1, 'one is found by a part of its name');
}
