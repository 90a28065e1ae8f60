// How pages are served, and what they do when the server is not there.
import { existsSync, writeFileSync } from 'node:fs';
import { holds, same, settled, textOf, visit } from './browser.js';
import { proxyTo } from './proxy.js';

/** While the server cannot be reached the page stays; when it is back, all goes on without a reload. */
export async function offline(browser, { name }) {
	const page = await browser.open('/r/go/local', { expect: [0] });
	await page.evaluate(() => {
		globalThis.kept = true;
	});
	await page.context().setOffline(true);
	await page.locator('tbody a.path').first().click();
	await page.locator('.offline').waitFor();
	await page.getByRole('heading', { name: 'The server cannot be reached.' }).waitFor();
	await browser.look(page, 'offline');
	await page.context().setOffline(false);
	await page.locator('.receipt').waitFor();
	same(await page.locator('.offline').count(), 0, 'the bar');
	same(await page.evaluate(() => globalThis.kept), true, 'the page was not loaded anew');
	holds((await textOf(page.locator('h1'))).includes(name), 'the package');
}

/**
 * What a cold visit asks for, and in how many rounds it asks the API: answers are held back until nothing else is on its
 * way, so what is asked after they came in was asked because of them. The icon is the browser's own affair.
 */
export async function requests(browser, { pages }) {
	for (const [path, most, rounds] of pages) {
		const page = await browser.open();
		const asked = [];
		const held = [];
		let open = 0;
		page.on('request', (request) => {
			if (!request.url().endsWith('/favicon.svg')) asked.push(request.url());
			open += 1;
		});
		for (const end of ['requestfinished', 'requestfailed'])
			page.on(end, () => {
				open -= 1;
			});
		await page.route('**/api/**', (route) => held.push(route));
		await page.goto(path);
		const quiet = async () => {
			for (let before = -1; before !== asked.length || open > held.length; ) {
				before = asked.length;
				await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100))));
			}
		};
		let found = 0;
		for (await quiet(); held.length; await quiet()) {
			found += 1;
			await Promise.all(held.splice(0).map((route) => route.continue()));
		}
		await settled(page);
		holds(asked.length <= most, `${path} asks for ${asked.length}, not ${most}:\n${asked.join('\n')}`);
		holds(found <= rounds, `${path} asks the API in ${found} rounds, not ${rounds}`);
		await page.context().close();
	}
}

/**
 * A server that is stopped and started again: what was loaded stays, with its time; nothing can be sent; all goes on
 * without a reload. `open` is written when the page stands, `lost` when it has noticed; `gone` and `back` are waited for.
 */
export async function stopped(browser, { name, open, gone, lost }) {
	const page = await browser.open('/r/go/local', { as: 'admin', expect: [0] });
	const form = await browser.newPage(page.context(), '/admin/repositories/new', [0]);
	await form.getByLabel('Name', { exact: true }).fill('kept');
	await page.evaluate(() => {
		globalThis.kept = true;
	});
	writeFileSync(open, '');
	while (!existsSync(gone)) await new Promise((done) => setTimeout(done, 50));
	await page.getByLabel('Filter modules by name').fill('my');
	await page.locator('.offline').waitFor();
	await page.getByRole('heading', { name: 'The server cannot be reached.' }).waitFor();
	await browser.look(page, 'a server that was stopped');
	await form.getByRole('button', { name: 'Make it' }).click();
	await form.getByText('The server cannot be reached.').first().waitFor();
	same(await form.getByLabel('Name', { exact: true }).inputValue(), 'kept', 'what was typed');
	writeFileSync(lost, '');
	await page.locator('tbody a.path', { hasText: name.split('/').pop() }).waitFor();
	same(await page.locator('.offline').count(), 0, 'the bar');
	same(await page.evaluate(() => globalThis.kept), true, 'the page was not loaded anew');
	await form.locator('.offline').waitFor({ state: 'detached' });
	await form.getByRole('button', { name: 'Make it' }).click();
	await form.waitForURL('**/r/go/kept');
}

/** A section that fails leaves the rest of the page, says its number, and loads again. */
export async function sectionFails(browser, { name }) {
	const problem = {
		type: 'about:blank',
		title: 'Internal',
		status: 500,
		code: 'internal',
		detail: 'It broke.',
		hint: 'Try again.',
		errors: [],
		request_id: 'ABCDEF123456',
	};
	const page = await browser.open(undefined, { expect: [500, 429] });
	await page.route('**/readme', (route) =>
		route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify(problem) }),
	);
	await visit(page, `/r/go/local/p/${name}`);
	await page.locator('#readme').getByText('ABCDEF123456').waitFor();
	holds(await page.locator('.receipt').isVisible(), 'the rest of the page');
	await browser.look(page, 'a section that failed');
	await page.unroute('**/readme');
	await page.locator('#readme').getByRole('button', { name: 'Try again' }).click();
	await page.locator('#readme .prose').waitFor();
}

/** A server that wants to be left alone says how long; then it is asked again by itself. */
export async function limited(browser, { name }) {
	const page = await browser.open(undefined, { expect: [429, 503] });
	await page.clock.install();
	for (const [status, code, title] of [
		[429, 'rate_limited', 'Too many requests'],
		[503, 'unavailable', 'The server can only be read'],
	]) {
		const problem = {
			type: 'about:blank',
			title,
			status,
			code,
			detail: `${title}.`,
			hint: '',
			errors: [],
			request_id: 'R1',
		};
		let asked = 0;
		let limited = true;
		await page.route('**/readme', (route) => {
			asked += 1;
			if (!limited) return route.continue();
			const headers = { 'Retry-After': '60' };
			return route.fulfill({ status, headers, contentType: 'application/problem+json', body: JSON.stringify(problem) });
		});
		await visit(page, `/r/go/local/p/${name}`);
		await page.locator('#readme').getByText('Asked again in').waitFor();
		holds(await page.locator('.receipt').isVisible(), 'the rest of the page');
		same(asked, 1, 'how often it was asked at first');
		limited = false;
		await page.clock.fastForward(61_000);
		await page.locator('#readme .prose').waitFor();
		same(asked, 2, 'how often it was asked in all');
		await page.unroute('**/readme');
	}
}

/** A slow server: rows that stand for what comes, and after a while a way to ask again. */
export async function slow(browser, { name }) {
	const page = await browser.open(undefined, {});
	await page.clock.install();
	let hold = true;
	const waiting = [];
	await page.route('**/readme', (route) => (hold ? waiting.push(route) : route.continue()));
	await page.goto(`/r/go/local/p/${name}`);
	await page.locator('.receipt').waitFor();
	await page.clock.fastForward(300);
	await page.locator('#readme .sk').first().waitFor();
	await page.clock.fastForward(8000);
	await page.locator('#readme').getByText('Still waiting for the server.').waitFor();
	hold = false;
	await page.locator('#readme').getByRole('button', { name: 'Try again' }).click();
	await page.locator('#readme .prose').waitFor();
}

/** The theme follows the system; a choice stays, and is there before anything is drawn. */
export async function theme(browser) {
	const page = await browser.open('/', { theme: 'dark' });
	const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
	const dark = await paper();
	await page.getByRole('button', { name: 'Switch between light and dark' }).click();
	const light = await paper();
	holds(dark !== light, 'the button switches');
	await page.goto('/setup', { waitUntil: 'commit' });
	await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
	await settled(page);
	same(await paper(), light, 'the choice after another page was loaded');
	await page.emulateMedia({ forcedColors: 'active' });
	holds(await page.locator('h1').isVisible(), 'the page in forced colours');
}

/** Behind a proxy that takes a path away, everything stays below that path. */
export async function prefix(browser, { upstream, prefix, host }) {
	const seen = [];
	const proxy = await proxyTo(upstream, (request, response) => {
		seen.push(request.url);
		if (request.url.startsWith(`${prefix}/`))
			return { path: request.url.slice(prefix.length), headers: { ...request.headers, host } };
		response.writeHead(404).end();
	});
	browser.known.url = proxy.url;
	try {
		const page = await browser.open(`${prefix}/r/go/local`);
		await page.locator('#setup .cmd').first().waitFor();
		await page.getByRole('link', { name: 'Artifact Keeper' }).click();
		await page.waitForURL(`**${prefix}/`);
		await settled(page);
		await visit(page, `${prefix}/setup/go`);
		holds(
			(await page.locator('pre').first().innerText()).includes(`http://${host}${prefix}/go/`),
			'set-up lines carry the path',
		);
		await page.goto(`${prefix}/api/docs`);
		await page.locator('summary').first().waitFor();
	} finally {
		proxy.close();
	}
	same(
		seen.filter((path) => !path.startsWith(`${prefix}/`)),
		[],
		'requests outside the path',
	);
}
