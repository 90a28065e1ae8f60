// How pages are served, and what they do when the server is not there.
import http from 'node:http';
import { holds, same, settled, textOf, visit } from './browser.js';

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
	const proxy = http.createServer((request, response) => {
		seen.push(request.url);
		if (!request.url.startsWith(`${prefix}/`)) {
			response.writeHead(404).end();
			return;
		}
		const { hostname, port } = new URL(upstream);
		const options = {
			hostname,
			port,
			path: request.url.slice(prefix.length),
			method: request.method,
			headers: { ...request.headers, host },
		};
		request.pipe(
			http.request(options, (answer) => {
				response.writeHead(answer.statusCode, answer.headers);
				answer.pipe(response);
			}),
		);
	});
	await new Promise((ready) => proxy.listen(0, '127.0.0.1', ready));
	browser.known.url = `http://127.0.0.1:${proxy.address().port}`;
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
