// Finding, reading, copying; notices and hostile texts.
import { holds, same, settled, textOf, visit, wholePage } from './browser.js';

const toModule = (name, version) => `/r/go/local/p/${name}${version ? `@${version}` : ''}`;

/** A package opened cold by its address is all there, and reload and back keep the place. */
export async function deepLink(browser, { name, version, older }) {
	const page = await browser.open(toModule(name, version));
	same(await textOf(page.locator('h1')), name, 'the heading');
	holds((await page.title()).includes(version), 'the title names the version');
	const command = `go get ${name}@${version}`;
	const line = page.locator('.receipt .cmd pre');
	holds((await textOf(line)).endsWith(command), 'the line to paste');
	const box = await line.boundingBox();
	holds(box.y + box.height <= 800, 'the line is on the first screen');
	await page.locator('.receipt').getByText(version, { exact: true }).waitFor();
	await page.reload();
	await settled(page);
	same(await textOf(page.locator('h1')), name, 'the heading after a reload');
	await page.locator('#versions').getByRole('link', { name: older, exact: true }).click();
	await page.waitForURL(`**/${name}@${older}`);
	await page.locator('.big', { hasText: older }).waitFor();
	await page.goBack();
	await page.waitForURL(`**/${name}@${version}`);
	await page.locator('.big', { hasText: version }).waitFor();
	await wholePage(page);
	await browser.look(page, 'a package');
	const phone = await browser.open(toModule(name, version), { width: 390 });
	const there = await phone.locator('.receipt .cmd').boundingBox();
	holds(there.y + there.height <= 844, 'the line is on the first screen of a phone');
}

/** Whence a version comes, who came for it first, and whether its bytes are what they were. */
export async function provenance(browser, { path, token, says, sums, login }) {
	const page = await browser.open(path, { as: login });
	await wholePage(page);
	const section = page.locator('#provenance');
	const told = await section.locator('.log').first().innerText();
	for (const words of [`with token ${token}`, ...says]) holds(told.includes(words), `${words} is not in: ${told}`);
	const found = await page.locator('#sums .check').allInnerTexts();
	same(
		found.map((text) => text.split(/\s+(recomputed|found)/)[0].trim()),
		sums,
		'what the recomputation came to',
	);
	await browser.look(page, 'where a version comes from');
	const stranger = await browser.open(path);
	await wholePage(stranger);
	const shown = await stranger.locator('#provenance').innerText();
	holds(!shown.includes(token) && !shown.includes('request'), `a stranger sees the token: ${shown}`);
	holds(!/127\.0\.0\.1|::1/.test(shown), `a stranger sees an address: ${shown}`);
}

/** Every page that anyone may open stands, in every theme and width. */
export async function pages(browser, { paths }) {
	for (const path of paths) {
		const page = await browser.open(path);
		await wholePage(page);
		await browser.look(page, path);
		await page.context().close();
	}
}

/** Odd names: the link of the list leads there, and nothing is wider than the screen. */
export async function oddNames(browser, { modules }) {
	const list = await browser.open('/r/go/local?sort=name');
	for (const [name, version] of modules) {
		await visit(list, `/r/go/local?q=${encodeURIComponent(name)}`);
		await list.locator('tbody a.path').first().click();
		await list.locator('.receipt .big').waitFor();
		same(await textOf(list.locator('.receipt .big')), version, `the version of ${name}`);
		same(await list.locator('h1.path').getAttribute('title'), name, 'the whole name');
		await list.setViewportSize({ width: 320, height: 800 });
		await browser.narrow(list, `${name} at 320 px`);
		await visit(list, toModule(name, version));
		same(await textOf(list.locator('.receipt .big')), version, `${name} by its address`);
		await list.setViewportSize({ width: 1280, height: 800 });
	}
}

/** What the buttons copy, for the test to run. */
export async function copies(browser, { name, version }) {
	const page = await browser.open(toModule(name, version), { permissions: ['clipboard-write'] });
	const copied = async (button) => {
		await button.click();
		await page.getByRole('button', { name: /^Copy/ }).filter({ hasText: 'Copied' }).first().waitFor();
		return browser.clipboard(page.context());
	};
	const install = await copied(page.getByRole('button', { name: 'Copy go get command' }));
	const sums = await copied(page.locator('#sums').getByRole('button', { name: 'Copy go.sum lines' }));
	const row = page.locator('#versions tbody tr', { hasText: version }).first();
	const ofRow = await copied(row.getByRole('button'));
	same(ofRow, sums, 'the lines of the row and of the section');
	return { install, sums };
}

/** The version that pages call the latest. */
export async function latest(browser, { name }) {
	const page = await browser.open('/r/go/local');
	const row = page.locator('tbody tr', { hasText: name });
	const listed = await textOf(row.locator('.ver'));
	await row.locator('a.path').click();
	await page.locator('.receipt .big').waitFor();
	same(await textOf(page.locator('.receipt .big')), listed, 'the page and the list');
	const marked = page.locator('#versions tbody tr', { has: page.locator('.m-latest') });
	same(await textOf(marked.locator('.ver')), listed, 'the mark');
	return { latest: listed };
}

/** What authors and owners wrote of a version is shown, as text. */
export async function notices(browser, { shown }) {
	for (const [path, title, words] of shown) {
		const page = await browser.open(path);
		const notice = page.locator('.note', { hasText: title });
		await notice.waitFor();
		holds((await notice.innerText()).includes(words), `${title} says ${words}: ${await notice.innerText()}`);
		same(await notice.locator('img, script').count(), 0, 'markup in a notice');
		await browser.look(page, title);
		await page.context().close();
	}
}

/** Filter and order are in the address; a late answer never overwrites a newer one. */
export async function filters(browser, { few, many }) {
	const page = await browser.open('/r/go/local?sort=name');
	const names = async (on) => on.locator('tbody a.path').evaluateAll((all) => all.map((one) => one.title));
	const all = await names(page);
	same(all, [...all].sort(), 'the order by name');
	let first = true;
	await page.route('**/api/packages?*q=*', async (route) => {
		// The answer to the first question comes after the one to the second.
		const slow = first && !route.request().url().includes(encodeURIComponent(few));
		first = false;
		if (slow) await new Promise((done) => setTimeout(done, 1500));
		await route.continue().catch(() => {});
	});
	const field = page.getByLabel('Filter modules by name');
	await field.pressSequentially(few[0]);
	await page.waitForURL('**/*q=*');
	await field.fill(few);
	await page.waitForURL(`**/*q=${encodeURIComponent(few)}*`);
	await page.locator('mark').first().waitFor();
	const found = await names(page);
	holds(found.length > 0 && found.length < all.length && found.every((name) => name.includes(few)), `found ${found}`);
	const other = await browser.open(new URL(page.url()).pathname + new URL(page.url()).search);
	same(await names(other), found, 'the same address in another browser');
	await browser.look(other, 'a filtered list');
	await visit(other, `/search?q=${encodeURIComponent(many)}`);
	holds((await names(other)).length > 1, 'a search finds more than one');
	await visit(other, '/search?q=zzqqxx');
	await other.getByText('Nothing matches').first().waitFor();
	await browser.look(other, 'no result');
}

/** What a module needs is a link where it is here; of those who need it, the ones in trouble come first. */
export async function needs(browser, { base, order, user, elsewhere, file }) {
	const page = await browser.open(toModule(base));
	await wholePage(page);
	const found = await page.locator('#requiredby tbody tr').evaluateAll((rows) =>
		rows.map((row) => {
			const marks = [...row.querySelector('[data-l="Requires"]').querySelectorAll('.m')];
			return [row.querySelector('a.path').title, marks.map((mark) => mark.textContent.trim()).join()];
		}),
	);
	same(found, order, 'who needs it, and how old a version');
	await browser.look(page, 'who needs it');
	await page.getByRole('link', { name: 'Compare two versions' }).click();
	await page.waitForURL('**?view=compare');
	await page.locator('#facts').getByText('go.mod h1').waitFor();
	await page
		.locator('label.inl', { hasText: /^\s*to/ })
		.locator('select')
		.selectOption('v1.0.0');
	await page.waitForURL('**@v1.0.0?view=compare&from=*');
	await page.locator('#needs').getByText('Both require the same.').waitFor();
	await browser.look(page, 'two versions beside each other');
	await visit(page, toModule(user));
	await wholePage(page);
	const declared = page.locator('#manifest');
	await declared.getByRole('link', { name: base }).waitFor();
	same(await declared.getByRole('link', { name: elsewhere }).count(), 0, 'a link to what is not here');
	await declared.getByRole('link', { name: base }).click();
	await page.waitForURL(`**${toModule(base)}`);
	await visit(page, `${toModule(user, 'v1.0.0')}?view=file&name=${encodeURIComponent(file)}#L2-L3`);
	await page.locator('.l.named').first().waitFor();
	same(await page.locator('.l.named').evaluateAll((lines) => lines.map((line) => line.id)), ['L2', 'L3'], 'the lines');
}

/** Who uses a module and its licence are in its row; the most used come first when that is asked for. */
export async function columns(browser, { rows }) {
	const page = await browser.open('/r/go/local');
	await page.getByLabel('Sort').selectOption('most_used');
	await page.waitForURL('**/*sort=most_used*');
	await page.locator('tbody tr').first().getByText(rows[0][0].split('/').pop(), { exact: true }).waitFor();
	const found = await page
		.locator('tbody tr')
		.evaluateAll((all) =>
			all.map((row) => [
				row.querySelector('a.path').title,
				row.querySelector('[data-l="Used by"]').textContent.trim(),
				row.querySelector('[data-l="Licence"]').textContent.trim(),
			]),
		);
	same(found, rows, 'the rows');
	await browser.look(page, 'a list with users and licences');
	await page.locator('tbody a.path').first().click();
	await page.locator('.receipt').getByText('Apache-2.0').waitFor();
	await wholePage(page);
	await page.locator('#requiredby').getByText('1 package more that you may not read.').waitFor();
	holds(!(await page.content()).includes('example.com/hidden'), 'who is hidden is named');
	await visit(page, '/r/generic/files');
	same(await page.getByRole('columnheader', { name: 'Licence' }).count(), 0, 'plain files have no licence');
}

/** Many versions: few rows, a page at a time, found by number. */
export async function manyVersions(browser, { name, versions, needle }) {
	const page = await browser.open(toModule(name));
	const rows = () => page.locator('tr').count();
	holds((await rows()) < 400, `${await rows()} rows on the package's page`);
	await page.getByRole('link', { name: 'All versions' }).click();
	await page.waitForURL('**view=versions*');
	const seen = new Set();
	for (;;) {
		await settled(page);
		holds((await rows()) <= 101, `${await rows()} rows on a page`);
		for (const version of await page.locator('tbody a.ver').allInnerTexts()) seen.add(version.trim());
		const next = page.getByRole('link', { name: /^Next/ });
		if ((await next.count()) === 0) break;
		const cursor = new URL(page.url()).searchParams.get('cursor');
		await next.click();
		await page.waitForFunction((before) => new URL(location.href).searchParams.get('cursor') !== before, cursor);
		await page.waitForFunction(
			(known) => !known.includes(document.querySelector('tbody a.ver')?.textContent.trim()),
			[...seen],
		);
	}
	same(seen.size, versions, 'versions seen over all pages');
	await page.getByLabel('Filter versions').fill(needle);
	await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
	same(await textOf(page.locator('tbody a.ver')), needle, 'the version found');
}

/** Sign in, find, open, copy, sign out: without a pointer, the focus always in sight. */
export async function keyboard(browser, { name, version, login }) {
	const page = await browser.open('/login', { permissions: ['clipboard-write'] });
	const keys = page.keyboard;
	const tabTo = async (wanted) => {
		for (let i = 0; i < 60; i += 1) {
			await keys.press('Tab');
			const seen = await page.evaluate(() => {
				const at = document.activeElement;
				// Behind the last control the browser's own come.
				if (at === document.body) return { text: '', ring: true, clear: true };
				const box = at.getBoundingClientRect();
				const bar = document.querySelector('.bar');
				const low =
					at.closest('.bar, .skip') || getComputedStyle(bar).position !== 'sticky'
						? 0
						: bar.getBoundingClientRect().bottom;
				const styled = getComputedStyle(at);
				return {
					text: (at.getAttribute('aria-label') ?? at.labels?.[0]?.textContent ?? at.textContent).trim(),
					ring: styled.boxShadow !== 'none' || styled.outlineStyle !== 'none' || at.matches('.find input'),
					clear: box.bottom > low && box.top < innerHeight,
				};
			});
			holds(seen.ring, `the focus on ${seen.text} cannot be seen`);
			holds(seen.clear, `the focus on ${seen.text} is hidden`);
			if (seen.text.startsWith(wanted)) return;
		}
		throw new Error(`Tab never reaches ${wanted}`);
	};
	await tabTo('User name');
	await keys.type(login);
	await keys.press('Tab');
	await keys.type(browser.known.password);
	await keys.press('Enter');
	await page.waitForURL((url) => url.pathname === '/');
	await page.locator('.who .name', { hasText: login }).waitFor();
	await keys.press('/');
	await keys.type(name.split('/').at(-1));
	await keys.press('Enter');
	await page.waitForURL('**/search?*');
	await page.locator('tbody tr').first().waitFor();
	await keys.press('j');
	await keys.press('Enter');
	await page.waitForURL(`**/p/${name}`);
	await page.locator('.receipt .big').waitFor();
	await keys.press('c');
	await page.locator('.receipt .copy.done').waitFor();
	same(await browser.clipboard(page.context()), `go get ${name}@${version}`, 'what the key c copies');
	await keys.press('[');
	await page.waitForURL(`**/p/${name}@*`);
	await tabTo(login);
	await keys.press('Enter');
	await page.waitForURL('**/me');
	await settled(page);
	await tabTo('Sign out');
	await keys.press('Enter');
	await page.locator('.who .name', { hasText: 'Sign in' }).waitFor();
	await keys.press('?');
	await page.waitForURL('**/help/keys');
}

/** Plain files: folders, a file as text, a stored page that is downloaded and never shown. */
export async function plainFiles(browser, { folder, file, html, text }) {
	const page = await browser.open('/r/generic/files');
	await page.locator('tbody a.path').first().click();
	await page.waitForURL('**/f/*');
	await visit(page, `/r/generic/files/f/${folder}`);
	await browser.look(page, 'a folder');
	await visit(page, `/r/generic/files/f/${file}`);
	await page.locator('.src', { hasText: text }).waitFor();
	await browser.look(page, 'a file');
	await visit(page, `/r/generic/files/f/${html}`);
	same(await page.evaluate(() => globalThis.hostile), undefined, 'what the stored page would have set');
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		page.getByRole('link', { name: /^Download/ }).click(),
	]);
	holds(download.suggestedFilename().endsWith('.html'), 'a stored page is a download');
}

/** What stands on the set-up page, for the test to run. */
export async function setup(browser) {
	const page = await browser.open('/setup/go');
	await browser.look(page, 'set-up');
	const texts = await page
		.locator('section.sec')
		.evaluateAll((all) =>
			all.map((section) => ({ id: section.id, text: section.querySelector('pre')?.innerText ?? '' })),
		);
	return { texts: texts.map(({ id, text }) => ({ id, text: text.replace(/^\$ /gm, '') })) };
}

/** What is wrong with a client's settings, and what mends it. */
export async function doctor(browser, { report, says }) {
	const page = await browser.open('/doctor');
	await page.getByLabel('Its output').fill(report);
	await page.getByRole('button', { name: 'Judge it' }).click();
	await page.locator('.finding', { hasText: says }).first().waitFor();
	await browser.look(page, 'a diagnosis');
}

/** A format that the pages know nothing of: listed, opened, looked into, found, and set up for. */
export async function foreignFormat(browser, { format, repository, name, versions, file, command }) {
	const newest = versions.at(-1);
	const page = await browser.open(`/r/${format}/${repository}`);
	await browser.look(page, 'its repository');
	await page.locator('tbody a.path', { hasText: name }).first().click();
	await page.locator('.receipt .big', { hasText: newest }).waitFor();
	same(await textOf(page.locator('h1')), name, 'the heading');
	await wholePage(page);
	await browser.look(page, 'its package');
	const at = `/r/${format}/${repository}/p/${name}`;
	await visit(page, `${at}?view=versions`);
	for (const version of versions) await page.getByRole('link', { name: version, exact: true }).first().waitFor();
	await browser.look(page, 'its versions');
	await visit(page, `${at}@${versions[0]}`);
	await page.locator('.receipt .big', { hasText: versions[0] }).waitFor();
	await page.getByText(file).first().waitFor();
	await visit(page, `/search?q=${name}`);
	await page.locator('tbody a.path', { hasText: name }).first().waitFor();
	await visit(page, `/setup/${format}`);
	await page.locator('pre', { hasText: command }).first().waitFor();
	await browser.look(page, 'its set-up');
}
