// Signing in, tokens, rights, conflicts, the audit.
import { holds, same, settled, textOf, visit, wholePage } from './browser.js';

/** A server may sign its own certificate. */
const SELF_SIGNED = { ignoreHTTPSErrors: true };

/** Wrong and right passwords, the cookie, where one is taken, and the end of a session. */
export async function session(browser, { login }) {
	const page = await browser.open('/login?next=/r/go/local', { expect: [401] });
	await browser.look(page, 'sign in');
	await page.getByLabel('User name').fill(login);
	await page.getByLabel('Password').fill('not the password');
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.getByRole('alert').getByText('Name or password is wrong.').waitFor();
	await page.getByRole('alert').getByText('9 more tries, then there is a pause.').waitFor();
	same(await page.getByLabel('User name').inputValue(), login, 'the name is kept');
	await browser.look(page, 'a wrong password');
	await page.getByLabel('Password').fill(browser.known.password);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.waitForURL((url) => url.pathname === '/r/go/local');
	const [cookie] = (await page.context().cookies()).filter((one) => one.name.includes('keeper_session'));
	same([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Strict', '/'], 'the cookie');
	same(await page.evaluate(() => document.cookie), '', 'what scripts see of it');
	for (const next of ['https://evil.example', '//evil.example', '/\\evil.example']) {
		const other = await browser.open(`/login?next=${encodeURIComponent(next)}`);
		await other.getByLabel('User name').fill(login);
		await other.getByLabel('Password').fill(browser.known.password);
		await other.getByRole('button', { name: 'Sign in' }).click();
		await other.waitForURL((url) => url.pathname === '/');
		await other.context().close();
	}
	await visit(page, '/me');
	await browser.look(page, 'the profile');
	await page.getByRole('button', { name: 'Sign out' }).click();
	await page.locator('.who .name', { hasText: 'Sign in' }).waitFor();
}

/** A form outlives the session: signing in where it failed keeps what was typed. */
export async function expired(browser) {
	const page = await browser.open('/admin/repositories/new', { as: 'admin', expect: [401] });
	await page.getByLabel('Name', { exact: true }).fill('kept');
	await page.getByLabel('Description').fill('typed before the session ended');
	await page.context().clearCookies();
	await page.getByRole('button', { name: 'Make it' }).click();
	await page.getByText('You were signed out.').waitFor();
	await browser.look(page, 'a session that ended');
	await page.getByLabel('User name').fill('admin');
	await page.getByLabel('Password').fill(browser.known.password);
	await page.getByRole('button', { name: 'Sign in', exact: true }).click();
	await page.getByText('You are signed in again.').waitFor();
	same(await page.getByLabel('Description').inputValue(), 'typed before the session ended', 'the form');
	await page.getByRole('button', { name: 'Make it' }).click();
	await page.waitForURL('**/r/go/kept');
}

/** A token's text is shown once, and nowhere else. */
export async function tokenOnce(browser) {
	const page = await browser.open('/me/tokens', { as: 'admin', ...SELF_SIGNED });
	await page.getByRole('button', { name: 'New token' }).click();
	await page.getByLabel('What it is for').fill('laptop');
	await browser.look(page, 'the form of a token');
	await page.getByRole('button', { name: 'Make the token' }).click();
	const shown = page.getByRole('alertdialog');
	await shown.waitFor();
	const token = await textOf(shown.locator('pre'));
	holds(/^akp_[A-Za-z0-9]{36}$/.test(token), `a token: ${token.length} characters`);
	await browser.look(page, 'a token shown once');
	const done = shown.getByRole('button', { name: 'Done' });
	same(await done.isDisabled(), true, 'Done before it is stored');
	await shown.getByLabel('I have stored it').check();
	await done.click();
	await shown.waitFor({ state: 'detached' });
	await page.reload();
	await settled(page);
	holds(!(await page.content()).includes(token), 'the token is on the page after a reload');
	holds(!page.url().includes(token), 'the token is in the address');
	const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
	holds(!kept.includes(token), 'the token is in a storage');
	return { token };
}

/** A token is revoked on its page. */
export async function revoke(browser) {
	const page = await browser.open('/me/tokens', { as: 'admin', ...SELF_SIGNED });
	await page.getByRole('button', { name: 'Revoke laptop' }).click();
	await browser.look(page, 'a question before revoking');
	await page.getByRole('button', { name: 'Revoke it: laptop' }).click();
	await page.locator('tbody tr', { hasText: 'laptop' }).waitFor({ state: 'detached' });
}

/** What somebody may not do is not offered, and said when it is asked for by its address. */
export async function rights(browser, { reader }) {
	const page = await browser.open('/r/go/private', { as: reader, expect: [403, 404] });
	for (const name of ['Upload', 'Settings', 'Admin'])
		same(await page.getByRole('link', { name, exact: true }).count(), 0, `${name} for a reader`);
	await visit(page, '/admin/users');
	await page.getByText('You may not open this.').waitFor();
	await browser.look(page, 'no permission');
	await visit(page, '/r/go/hidden');
	await page.getByText('All repositories').waitFor();
	same(await textOf(page.locator('main .state .mono').first()), 'repository_not_found', 'a hidden repository');
	await browser.look(page, 'a hidden repository');
	const anonymous = await browser.open('/r/go/private', { expect: [401, 404] });
	await anonymous.getByRole('link', { name: 'Sign in' }).first().waitFor();
}

/** A grant shows at once, with its reason; taken back, the reason is the lack of it. */
export async function grants(browser, { login }) {
	const page = await browser.open('/admin/permissions?repo=go/private', { as: 'admin' });
	await page.getByLabel('To', { exact: true }).selectOption('user');
	await page.getByLabel('Name', { exact: true }).fill(login);
	await page.getByLabel('Role').selectOption('publisher');
	await page.getByRole('button', { name: 'Give it' }).click();
	await page.locator('tbody tr', { hasText: login }).waitFor();
	await browser.look(page, 'permissions');
	const why = async () => {
		await page.getByPlaceholder('login').fill(login);
		await page.getByRole('button', { name: 'Ask' }).click();
		await page.locator('.ans').waitFor();
		return textOf(page.locator('.ans'));
	};
	holds((await why()).startsWith(`Yes: ${login} is publisher of go/private`), 'the reason of a right');
	await page.getByRole('button', { name: `Take back publisher from ${login}` }).click();
	await page.getByRole('button', { name: `Take it back: publisher from ${login}` }).click();
	await page.locator('tbody tr', { hasText: login }).waitFor({ state: 'detached' });
	await page.getByLabel('do what').selectOption('read');
	holds((await why()).startsWith('No:'), 'the reason of the lack of a right');
}

/** Every page of the administration stands, in every theme and width. */
export async function administration(browser, { paths }) {
	for (const path of paths) {
		const page = await browser.open(path, { as: 'admin' });
		await browser.look(page, path);
		await page.context().close();
	}
}

/** Two edit one repository: the second is told and loses nothing. */
export async function conflict(browser) {
	const path = '/admin/repositories/go/local';
	const first = await browser.open(path, { as: 'admin' });
	const second = await browser.open(path, { as: 'admin', expect: [412] });
	const change = async (page, text) => {
		await page.getByLabel('Description').fill(text);
		await page.getByRole('button', { name: 'Save', exact: true }).click();
	};
	await change(first, 'of the first');
	await first.getByText('nothing is changed').waitFor();
	await change(second, 'of the second');
	await second.getByText('Somebody changed this while you were at it.').waitFor();
	const table = second.locator('[role=alert] tbody');
	holds(/of the second[\s\S]*of the first/.test(await table.innerText()), 'both values are shown');
	await browser.look(second, 'a conflict');
	await second.getByRole('button', { name: 'Take mine' }).click();
	await second.getByText('nothing is changed').waitFor();
	await first.reload();
	await settled(first);
	same(await first.getByLabel('Description').inputValue(), 'of the second', 'what is kept');
}

/** A token that may publish some packages only. */
export async function tokenForPackages(browser, { packages }) {
	const page = await browser.open('/me/tokens', { as: 'admin' });
	await page.getByRole('button', { name: 'New token' }).click();
	await page.getByLabel('What it is for').fill('team');
	await page.getByLabel('Only these packages').fill(packages);
	await page.getByLabel('publish', { exact: true }).check();
	await page.getByRole('button', { name: 'Make the token' }).click();
	const shown = page.getByRole('alertdialog');
	const token = await textOf(shown.locator('pre'));
	await shown.getByLabel('I have stored it').check();
	await shown.getByRole('button', { name: 'Done' }).click();
	await page.locator('tbody tr', { hasText: packages }).waitFor();
	await browser.look(page, 'a token for some packages');
	return { token };
}

/** What was done is in the log, each by a filter in the address; so is what was refused; the export parses. */
export async function audit(browser, { done, refused }) {
	const page = await browser.open('/admin/audit', { as: 'admin' });
	await browser.look(page, 'the audit');
	const rows = page.locator('.log li');
	for (const [action, actor, object] of done) {
		await page.getByLabel('Did what').fill(action);
		await page.getByRole('button', { name: 'Show' }).click();
		await page.waitForURL(`**/admin/audit?*action=${action}*`);
		await rows.filter({ hasText: object }).filter({ hasText: actor }).first().waitFor();
		for (const text of await rows.allInnerTexts()) holds(text.includes(action), `a row that does not fit: ${text}`);
	}
	await visit(page, `/admin/audit?actor=${refused}&outcome=denied`);
	await rows.first().waitFor();
	const numbers = await page.request.get(`/api/audit?actor=${refused}&outcome=denied`);
	const [row] = (await numbers.json()).items;
	await visit(page, `/admin/audit?request_id=${row.request_id}`);
	same(await rows.count(), 1, 'rows of the request that was refused');
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		page.getByRole('link', { name: 'JSON lines' }).click(),
	]);
	const { readFileSync } = await import('node:fs');
	const lines = readFileSync(await download.path(), 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));
	for (const [action] of done)
		holds(
			lines.some((line) => line.action === action),
			`the export holds ${action}`,
		);
}

/** The page of the server tells of damage, and how the last verification and backup went. */
export async function system(browser, { says, damaged }) {
	const page = await browser.open('/admin/system', { as: 'admin' });
	const told = await page.locator('#care').innerText();
	for (const words of says) holds(told.includes(words), `${words} is not in: ${told}`);
	await page.locator('#damaged tbody').getByText(damaged).waitFor();
	await wholePage(page);
	await browser.look(page, 'the system with a damaged file');
}

/** An administrator sees everybody's tokens and when each was last seen, and ends all sessions of somebody. */
export async function others(browser, { login, token }) {
	const theirs = await browser.open('/me', { as: login, expect: [401] });
	await theirs.getByRole('heading', { name: 'Sessions' }).waitFor();
	const page = await browser.open('/admin/tokens', { as: 'admin' });
	await page.locator('tbody tr', { hasText: token }).getByText(login).first().waitFor();
	await visit(page, '/admin/users');
	const row = page.locator('tbody tr', { hasText: login });
	holds(/ago|now/.test(await row.locator('[data-l="Last seen"]').innerText()), 'when somebody was last seen');
	await browser.look(page, 'the users');
	await row.getByRole('link', { name: `Edit ${login}` }).click();
	await page.getByRole('button', { name: `End all sessions ${login}` }).click();
	await page.getByRole('button', { name: /^End all sessions of/ }).click();
	await page.locator('#say', { hasText: 'Sessions ended' }).waitFor({ state: 'attached' });
	await browser.look(page, 'a user');
	await theirs.reload();
	await theirs.getByRole('link', { name: 'Sign in' }).first().waitFor();
}
