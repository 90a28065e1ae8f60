// Making and keeping remote and virtual repositories.
import { holds, same, settled, textOf, visit, wholePage } from './browser.js';

/** A copy of a chain of upstreams, and one address for it and our own modules. */
export async function made(browser, { chain, login, password }) {
	const page = await browser.open('/admin/repositories/new', { as: 'admin', expect: [400] });
	const field = (name) => page.getByLabel(name, { exact: true });
	await field('Kind').selectOption('remote');
	await field('Name').fill('fast');
	await field('Upstream').fill(chain);
	await field('Credentials there').selectOption('login');
	await field('User name there').fill(login);
	await field('Password there').fill(password);
	await field('Lists are believed for, seconds').fill('3600');
	await field('Refused').fill('example.com/evil >=v1.0.0 # see the incident of March');
	await field('Checksum database').fill('off');
	await field('What is kept of an upstream').selectOption('off');
	await page.getByLabel('Everybody may read it').check();
	await browser.look(page, 'the form of a remote repository');
	await page.getByRole('button', { name: 'Make it' }).click();
	await page.locator('.field .err', { hasText: 'allow_http' }).waitFor();
	await page.getByLabel('Plain http to it is allowed').check();
	await field('Redirects may lead').selectOption('named');
	await field('Hosts of redirects').fill('storage.example.com\nhttps://not.a.host');
	await page.getByRole('button', { name: 'Make it' }).click();
	const hosts = page.locator('.field', { has: field('Hosts of redirects') });
	await hosts.locator('.err', { hasText: 'not.a.host' }).waitFor();
	await browser.look(page, 'a host that is none');
	await field('Hosts of redirects').fill('storage.example.com, *.cdn.example.com');
	await page.getByRole('button', { name: 'Make it' }).click();
	await page.waitForURL('**/r/go/fast');
	await page.getByText('Nothing fetched yet.').waitFor();
	await browser.look(page, 'a remote repository that holds nothing');

	await visit(page, '/admin/repositories/new');
	await field('Kind').selectOption('virtual');
	await field('Name').fill('all');
	for (const member of ['fast', 'local']) {
		await field('Further member').selectOption(member);
		await page.getByRole('button', { name: 'Add', exact: true }).click();
	}
	await page.getByRole('button', { name: 'Move local up' }).click();
	await field('Names').fill('example.com/ours');
	await field('come only from').selectOption('local');
	await page.getByRole('button', { name: 'Reserve', exact: true }).click();
	await page.getByLabel('Everybody may read it').check();
	await browser.look(page, 'the form of a virtual repository');
	await page.getByRole('button', { name: 'Make it' }).click();
	await page.waitForURL('**/r/go/all');
	await page.locator('tbody tr', { hasText: 'example.com/ours' }).getByText('local', { exact: true }).waitFor();
	await browser.look(page, 'a virtual repository');
}

/** A version is fetched from the page of the repository; what may not come in is refused with its reason. */
export async function fetched(browser, { name, version, refused, reason }) {
	const page = await browser.open('/r/go/fast');
	const fetch = async (module, at) => {
		await page.getByLabel('Fetch a module now').fill(module);
		await page.getByLabel('in version').fill(at);
		await page.getByRole('button', { name: 'Fetch', exact: true }).click();
	};
	await fetch(refused, 'v1.0.0');
	const note = page.getByRole('alert');
	await note.waitFor();
	holds((await note.innerText()).includes(reason), await note.innerText());
	await browser.look(page, 'a fetch that was refused');
	await fetch(name, version);
	await page.waitForURL(`**/p/${name}@${version}`);
	same(await textOf(page.locator('.receipt .big')), version, 'the version that was fetched');
	await visit(page, '/r/go/fast');
	same(await page.locator('tbody a.path').first().getAttribute('title'), name, 'it is listed');
	await browser.look(page, 'a remote repository that holds something');
}

/** How its sources fare, a refresh, changes of two administrators, and credentials that are seen by nobody. */
export async function kept(browser, { module, secret }) {
	const path = '/admin/repositories/go/fast';
	const page = await browser.open(undefined, { as: 'admin', expect: [412] });
	const told = [];
	page.on('response', async (response) => {
		if (response.url().includes('/api/')) told.push(await response.text().catch(() => ''));
	});
	const matched = [];
	page.on('request', (request) => {
		if (request.method() === 'PATCH') matched.push(request.headers()['if-match']);
	});
	await visit(page, path);
	const sources = page.locator('#health tbody tr');
	same(await sources.count(), 2, 'the sources of the chain');
	await sources.first().getByText('resting').waitFor();
	await sources.first().getByText('upstream_error').waitFor();
	await sources.last().getByText('ok', { exact: true }).waitFor();
	await wholePage(page);
	await browser.look(page, 'how an upstream fares');
	await page.getByLabel('Refresh a module').fill(module);
	await page.getByRole('button', { name: 'Refresh' }).click();
	await page.getByText(`The next question about ${module} goes to the upstream.`).waitFor();

	const field = (name) => page.getByLabel(name, { exact: true });
	same(await field('Redirects may lead').inputValue(), 'named', 'where redirects may lead');
	same(await field('Hosts of redirects').inputValue(), 'storage.example.com\n*.cdn.example.com', 'the hosts');
	same(await field('Refused').inputValue(), 'example.com/evil >=v1.0.0 # see the incident of March', 'the rules');
	const other = await browser.open(path, { as: 'admin' });
	await other.getByLabel('Lists are believed for, seconds').fill('5');
	await other.getByRole('button', { name: 'Save', exact: true }).click();
	await other.getByText('nothing is changed').waitFor();
	await field('Lists are believed for, seconds').fill('7');
	await field('Credentials there').selectOption('remove');
	await page.getByRole('button', { name: 'Save', exact: true }).click();
	const conflict = page.locator('[role=alert] tbody');
	await conflict.waitFor();
	holds(/upstream\.index_seconds\s*(Yours)?\s*7\s*(There now)?\s*5/.test(await conflict.innerText()), 'both values');
	await browser.look(page, 'a conflict over an upstream');
	await page.getByRole('button', { name: 'Take mine' }).click();
	await page.getByText('nothing is changed').waitFor();
	holds(matched.length === 2 && matched.every((tag) => tag !== undefined), 'each change says what it was made for');
	await page.reload();
	await settled(page);
	same(await field('Lists are believed for, seconds').inputValue(), '7', 'what is kept');
	same(await textOf(field('Credentials there').locator('option').first()), 'none', 'credentials that were taken away');
	holds(!(await page.content()).includes(secret) && !told.join('\n').includes(secret), 'the password was sent back');
	await visit(page, '/admin/system');
	await page.locator('#upstreams').getByText('go/fast').first().waitFor();
	await browser.look(page, 'the system with its upstreams');
}
