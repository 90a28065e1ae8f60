// What others wrote: it is shown, it runs nowhere, and nothing of it breaks a page.
import { holds, same, visit, wholePage } from './browser.js';

/** Nothing of a README or a source runs, is fetched, or breaks the page. */
export async function readme(browser, { name, version, readable, entry }) {
	const page = await browser.open(`/r/go/local/p/${name}@${version}`);
	await wholePage(page);
	const readme = page.locator('#readme .prose');
	holds((await readme.innerText()).includes(readable), 'the rest of the README can be read');
	same(
		await readme.locator('script, style, img, svg, iframe, form, input:not([type=checkbox])').count(),
		0,
		'what runs or loads',
	);
	const links = await readme.locator('a[href]').evaluateAll((all) => all.map((one) => [one.protocol, one.rel]));
	for (const [protocol, rel] of links) {
		holds(['http:', 'https:', 'mailto:'].includes(protocol), `a link to ${protocol}`);
		holds(rel.includes('noopener') && rel.includes('nofollow'), `a link with rel ${rel}`);
	}
	same(await page.evaluate(() => globalThis.hostile), undefined, 'what a hostile script would have set');
	await browser.look(page, 'a hostile package');
	await visit(page, `/r/go/local/p/${name}@${version}?view=file&name=${encodeURIComponent(entry)}`);
	await page.locator('.src .l').first().waitFor();
	same(await page.evaluate(() => globalThis.hostile), undefined, 'what a hostile file would have set');
	await browser.look(page, 'a hostile file');
}

/** On none of these pages anything runs or is markup. On `turned` the controls are shown as what they are. */
export async function pages(browser, { pages, turned, as }) {
	for (const path of pages) {
		const page = await browser.open(path, { as, expect: [404] });
		await wholePage(page);
		same(await page.evaluate(() => globalThis.hostile), undefined, `what a hostile text would have set on ${path}`);
		same(await page.locator('main :is(img, script, iframe, b[onclick])').count(), 0, `markup of others on ${path}`);
		await browser.look(page, path);
		if (path === turned) {
			const notice = await page.locator('.note').first().innerText();
			holds(notice.includes('<script>') && notice.includes('<U+202E>'), `the author's words, all of them: ${notice}`);
			holds(!notice.includes('\u202e'), 'a control that turns the notice');
		}
		await page.context().close();
	}
}
