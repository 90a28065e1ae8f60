// The set-up pages: what they print, and whether a client is seen.
import { writeFileSync } from 'node:fs';
import { holds, same, settled, visit } from './browser.js';

/** The server signs its own certificate. */
const SELF_SIGNED = { ignoreHTTPSErrors: true };

/** What each section prints for a shell, without the prompts, which are not for copying. */
export async function printed(browser, { path }) {
	const page = await browser.open(path, { as: 'admin', ...SELF_SIGNED });
	await page.locator('#seen').waitFor();
	await browser.look(page, 'set-up');
	const texts = await page.locator('section.sec:has(.cmd pre)').evaluateAll((all) =>
		all.map((section) => ({
			id: section.id,
			text: [...section.querySelectorAll('.cmd pre')]
				.map((pre) => {
					const copy = pre.cloneNode(true);
					for (const prompt of copy.querySelectorAll('.p')) prompt.remove();
					return copy.textContent;
				})
				.join('\n'),
		})),
	);
	return { texts };
}

/** Private paths and the shell are chosen on the page, are in its address, and change the lines. */
export async function chosen(browser, { own }) {
	const page = await browser.open('/setup/go?repo=local');
	const lines = async (id) => (await page.locator(`#${id} pre`).innerText()).replaceAll('$ ', '');
	await page.getByLabel('Private paths').fill(own);
	await page.keyboard.press('Enter');
	await page.waitForURL('**/*private=*');
	await page.locator('#shell pre', { hasText: own }).waitFor();
	const shell = await lines('shell');
	await page.getByRole('link', { name: 'PowerShell' }).click();
	await page.waitForURL('**/*shell=powershell*');
	await page.locator('#powershell').waitFor();
	same(await page.locator('#shell, #environment').count(), 0, 'lines for another shell');
	holds((await lines('powershell')).includes(`go env -w 'GONOSUMDB=${own}'`), await lines('powershell'));
	holds((await page.locator('#dockerfile pre').innerText()).includes(own), 'the image knows the private paths');
	await browser.look(page, 'set-up for another shell');
	const other = await browser.open(new URL(page.url()).pathname + new URL(page.url()).search);
	holds((await other.locator('#powershell pre').innerText()).includes(own), 'the same address in another browser');
	const wrong = await browser.open('/setup/go?repo=local&private=a;b', { expect: [400] });
	await wrong.getByRole('alert').waitFor();
	await wrong.locator('#shell').waitFor();
	await browser.look(wrong, 'a pattern that is none');
	return { shell };
}

/** First none has come; then the page says by itself that one has. `waiting` is written in between. */
export async function seen(browser, { path, waiting }) {
	const page = await browser.open(undefined, { as: 'admin', ...SELF_SIGNED });
	await visit(page, path);
	await page.locator('#seen').getByText('not yet').waitFor();
	await browser.look(page, 'a client that has not come');
	writeFileSync(waiting, '');
	const line = page.locator('#seen p', { hasText: 'You are set up.' });
	await line.waitFor();
	await settled(page);
	holds((await line.innerText()).includes('with the token client'), await line.innerText());
	await browser.look(page, 'a client that has come');
}
