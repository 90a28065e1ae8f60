// The browser of a scenario, and everything that it complains of: whatever is written here fails the scenario.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** Nothing of the browser's own goes out, and no name but the server's is found. */
const QUIET = [
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
];
/** For a machine that is busy with other tests. */
const PATIENCE_MS = 60_000;

function program() {
	if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
	const folders = (process.env.PATH ?? '').split(delimiter);
	for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
		const found = folders.map((folder) => join(folder, name)).find(existsSync);
		if (found) return found;
	}
	throw new Error('no Chromium on PATH: make test installs it on Debian, or set CHROMIUM_PATH');
}

export class Browser {
	static async launch(known) {
		const own = new Browser();
		own.known = known;
		own.complaints = [];
		own.pages = [];
		const map = known.more?.map ? `MAP ${known.more.map}, ` : '';
		const names = `--host-resolver-rules=${map}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`;
		const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
		own.chromium = await chromium.launch({ executablePath: program(), args: [...QUIET, names, ...sandbox] });
		return own;
	}

	/** A new page in a context of its own; `as` signs in first. `expect` are statuses that the scenario provokes. */
	async open(path, { as, width = 1280, theme = 'light', expect = [], ...more } = {}) {
		const context = await this.chromium.newContext({
			baseURL: this.known.url,
			viewport: { width, height: width < 500 ? 844 : 800 },
			colorScheme: theme,
			acceptDownloads: true,
			...more,
		});
		context.setDefaultTimeout(PATIENCE_MS);
		if (as) await this.signIn(context, as);
		return this.newPage(context, path, expect);
	}

	/** A further page of a context. */
	async newPage(context, path, expect = []) {
		const page = await context.newPage();
		this.pages.push(page);
		this.watch(page, expect);
		if (path !== undefined) await visit(page, path);
		return page;
	}

	watch(page, expect) {
		const complain = (text) => this.complaints.push(`${page.url()}: ${text}`);
		const own = new URL(this.known.url).host;
		page.on('pageerror', (error) => complain(`a script failed: ${error.stack}`));
		page.on('console', (message) => {
			if (message.type() !== 'error' && message.type() !== 'warning') return;
			const status = /status of (\d+)/.exec(message.text())?.[1];
			const provoked = status
				? expect.includes(Number(status))
				: expect.includes(0) && /net::ERR|load preload assets/.test(message.text());
			if (!provoked) complain(`the console: ${message.text()}`);
		});
		page.on('request', (request) => {
			const url = new URL(request.url());
			if (/^https?:$/.test(url.protocol) && url.host !== own) complain(`a request to another host: ${request.url()}`);
		});
	}

	async signIn(context, login) {
		const headers = { 'X-Keeper-Request': '1', 'Sec-Fetch-Site': 'same-origin' };
		const data = { login, password: this.known.password };
		const answer = await context.request.post('/api/session', { data, headers });
		if (answer.status() !== 201) throw new Error(`${login} cannot sign in: ${answer.status()} ${await answer.text()}`);
	}

	/** Looks at a page as it stands: accessibility, and nothing wider than the screen; light and dark, wide and narrow. */
	async look(page, what) {
		const size = page.viewportSize();
		await page.evaluate(() => scrollTo(0, 0));
		for (const width of [1280, 390]) {
			await page.setViewportSize({ width, height: width < 500 ? 844 : 800 });
			for (const colorScheme of ['light', 'dark']) {
				await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
				await this.faults(page, `${what}, ${width} px, ${colorScheme}`);
			}
		}
		await page.setViewportSize({ width: 320, height: 800 });
		await this.narrow(page, `${what}, 320 px`);
		await page.emulateMedia({ colorScheme: 'light' });
		await page.setViewportSize(size);
	}

	async faults(page, what) {
		await page.evaluate(AXE);
		const found = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), RULES);
		for (const { id, help, nodes } of found.violations) {
			this.complaints.push(
				`${what}: ${id}: ${help}: ${nodes
					.slice(0, 3)
					.map((node) => node.html.slice(0, 200))
					.join(' | ')}`,
			);
		}
		await this.narrow(page, what);
	}

	async narrow(page, what) {
		const beyond = await page.evaluate(
			() => document.documentElement.scrollWidth - document.documentElement.clientWidth,
		);
		if (beyond > 0) this.complaints.push(`${what}: the page is ${beyond} px wider than the screen`);
	}

	/** What is on the clipboard: the policy keeps pages from reading it, so it is pasted into an empty one. */
	async clipboard(context) {
		const page = await context.newPage();
		await page.setContent('<textarea autofocus></textarea>');
		await page.locator('textarea').focus();
		await page.keyboard.press('Control+V');
		const text = await page.locator('textarea').inputValue();
		await page.close();
		return text;
	}

	judge() {
		if (this.complaints.length)
			throw new Error(`the browser complains:\n  ${[...new Set(this.complaints)].join('\n  ')}`);
	}

	/** A failure, with what the browser complained of and a picture of each page. */
	async report(fault) {
		const folder = mkdtempSync(join(tmpdir(), 'keeper-e2e-'));
		const shown = [];
		for (const [i, page] of this.pages.entries()) {
			if (page.isClosed()) continue;
			const path = join(folder, `${i}.png`);
			await page.screenshot({ path, fullPage: true }).catch(() => {});
			shown.push(`  ${page.url()} as in ${path}`);
		}
		return [fault.stack, ...this.complaints.map((text) => `  ${text}`), ...shown].join('\n');
	}

	async close() {
		await this.chromium?.close();
	}
}

/** Opens an address and waits until the page stands. */
export async function visit(page, path) {
	await page.goto(path);
	await settled(page);
}

/** Nothing of the page is still loading. */
export async function settled(page) {
	await page.locator('main :is(h1, h2)').first().waitFor();
	await page.waitForFunction(() => {
		const near = (element) => element.getBoundingClientRect().top < innerHeight;
		return ![...document.querySelectorAll('[aria-busy="true"]')].some(near);
	});
}

/** Fails with both values when they differ. */
export function same(found, wanted, what) {
	const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
	if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`);
}

export function holds(condition, what) {
	if (!condition) throw new Error(what);
}

/** The text of an element without white space at its ends. */
export async function textOf(locator) {
	return (await locator.innerText()).trim();
}

/** Scrolls to the end, so that what is loaded when it comes near the screen is there. */
export async function wholePage(page) {
	await page.evaluate(async () => {
		for (let at = 0; at < document.body.scrollHeight; at += innerHeight / 2) {
			scrollTo(0, at);
			await new Promise(requestAnimationFrame);
		}
	});
	await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
}
