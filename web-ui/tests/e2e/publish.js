// Sending from the browser: good, refused, broken off.
import { holds, same, settled, visit } from './browser.js';
import { proxyTo } from './proxy.js';

async function choose(page, file) {
	const [chooser] = await Promise.all([
		page.waitForEvent('filechooser'),
		page.getByRole('button', { name: 'Choose files' }).click(),
	]);
	await chooser.setFiles(file);
}

/** A zip is checked, the report is read, then it is published; the package's page has it. */
export async function good(browser, { file, name, version, findings }) {
	const page = await browser.open('/upload?repo=go/local', { as: 'admin' });
	await browser.look(page, 'upload');
	await page.getByLabel('Module', { exact: true }).fill(name);
	await page.getByLabel('Version', { exact: true }).fill(version);
	// Over a slow line, so that the progress is seen.
	const line = await page.context().newCDPSession(page);
	const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 150_000 };
	await line.send('Network.enable');
	await line.send('Network.emulateNetworkConditions', slow);
	// Dropped, as people do it.
	const bytes = [...(await import('node:fs')).readFileSync(file)];
	await page.locator('.drop').evaluate((zone, bytes) => {
		const transfer = new DataTransfer();
		transfer.items.add(new File([new Uint8Array(bytes)], 'module.zip', { type: 'application/zip' }));
		zone.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
	}, bytes);
	await page.waitForFunction(() => {
		const value = document.querySelector('.job progress')?.value ?? 0;
		return value > 0 && value < 100;
	});
	await page.getByText('This can be published as it is.').waitFor();
	await line.send('Network.emulateNetworkConditions', { ...slow, uploadThroughput: -1 });
	for (const [mark, text] of findings)
		await page.locator('.finding', { hasText: text }).locator('.m', { hasText: mark }).first().waitFor();
	await browser.look(page, 'a report');
	const absent = await page.request.get(`/api/packages?name=${encodeURIComponent(name)}`);
	same((await absent.json()).items.length, 0, 'packages after a mere check');
	await page.getByRole('button', { name: `Publish ${version}` }).click();
	await page.locator('.job', { hasText: 'published' }).first().waitFor();
	await page
		.locator('.job')
		.getByRole('link', { name: `open ${version}` })
		.click();
	await page.locator('.receipt .big', { hasText: version }).waitFor();
}

/** Each refusal has its code, nothing is stored, and the form keeps what was typed. */
export async function refused(browser, { cases }) {
	for (const [file, name, version, code] of cases) {
		const page = await browser.open('/upload?repo=go/local', { as: 'admin', expect: [400, 409, 413, 422] });
		await page.getByLabel('Module', { exact: true }).fill(name);
		await page.getByLabel('Version', { exact: true }).fill(version);
		await choose(page, file);
		await page.getByText('Nothing was stored.').waitFor();
		await page.locator('.finding', { hasText: code }).first().waitFor();
		await browser.look(page, code);
		same(await page.getByLabel('Module', { exact: true }).inputValue(), name, 'the module in the form');
		await page.locator('.finding a', { hasText: code }).first().click();
		await page.waitForURL(`**/help/errors#${code}`);
		await page.locator(`[id="${code}"]`).waitFor();
		await page.context().close();
	}
}

/** A connection that is cut when half has come leaves nothing behind, and another try works. */
export async function broken(browser, { file, name, version }) {
	let cuts = true;
	const proxy = await proxyTo(browser.known.url, (request) => {
		if (cuts && request.method === 'POST' && request.url.startsWith('/api/artifacts')) {
			let come = 0;
			request.on('data', (piece) => {
				come += piece.length;
				if (come > Number(request.headers['content-length']) / 2) request.socket.destroy();
			});
		}
		return {};
	});
	browser.known.url = proxy.url;
	try {
		const page = await browser.open('/upload?repo=go/local', { as: 'admin', expect: [0] });
		await page.getByLabel('Module', { exact: true }).fill(name);
		await page.getByLabel('Version', { exact: true }).fill(version);
		await page.getByLabel('Check only; publish when I say so').uncheck();
		await choose(page, file);
		await page.locator('.job', { hasText: 'failed' }).waitFor();
		await browser.look(page, 'a broken upload');
		const absent = await page.request.get(`/api/packages?name=${encodeURIComponent(name)}`);
		same((await absent.json()).items.length, 0, 'packages after a broken upload');
		cuts = false;
		await page.getByRole('button', { name: 'Try again' }).last().click();
		await page.locator('.job', { hasText: 'published' }).waitFor();
	} finally {
		proxy.close();
	}
}

/** A file of more bytes than the server takes is refused before it is sent. */
export async function tooLarge(browser, { file, name }) {
	const page = await browser.open('/upload?repo=go/local', { as: 'admin' });
	let sent = 0;
	page.on('request', (request) => {
		if (request.method() === 'POST' && request.url().includes('/api/artifacts')) sent += 1;
	});
	await page.getByLabel('Module', { exact: true }).fill(name);
	await choose(page, file);
	await page.locator('.finding', { hasText: 'too_large' }).waitFor();
	await browser.look(page, 'a file that is too large');
	same([sent, await page.getByLabel('Module', { exact: true }).inputValue()], [0, name], 'what was sent, and the form');
}

/** A chosen folder is packed in the browser. */
export async function folder(browser, { path, name, version }) {
	const page = await browser.open('/upload?repo=go/local', { as: 'admin' });
	await page.getByLabel('Version', { exact: true }).fill(version);
	await page.getByLabel('Check only; publish when I say so').uncheck();
	const [chooser] = await Promise.all([
		page.waitForEvent('filechooser'),
		page.getByRole('button', { name: 'Choose a folder' }).click(),
	]);
	await chooser.setFiles(path);
	await page.locator('.job', { hasText: 'published' }).waitFor();
	await visit(page, `/r/go/local/p/${name}@${version}`);
	await settled(page);
	holds(await page.locator('.receipt').isVisible(), 'the published folder has its page');
}

/** An empty repository says what would be here and how it comes here. */
export async function empty(browser) {
	const page = await browser.open('/r/go/local', { as: 'admin' });
	await page.getByText('Nothing published yet.').waitFor();
	await page.locator('.state pre').first().waitFor();
	await browser.look(page, 'an empty repository');
}
