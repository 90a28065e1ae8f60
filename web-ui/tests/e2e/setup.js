// The set-up pages: what they print, and whether a client is seen.
import { writeFileSync } from 'node:fs';
import { holds, settled, visit } from './browser.js';

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
