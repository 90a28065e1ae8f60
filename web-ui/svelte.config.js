import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { fold } from './scripts/fold.js';
import { askForFonts } from './scripts/fonts.js';

/** Where the build goes; the Rust crate's build script says it. */
const out = process.env.WEB_UI_OUT ?? 'build';

/** Names the build by its sources, so that equal sources give equal bytes and a page notices a newer server. */
function nameOfBuild() {
	const hash = createHash('sha256');
	const add = (path) => {
		if (statSync(path).isDirectory()) {
			for (const entry of readdirSync(path).sort()) add(join(path, entry));
		} else {
			hash.update(path).update('\0').update(readFileSync(path));
		}
	};
	for (const path of ['src', 'static', 'package-lock.json']) add(path);
	return hash.digest('hex').slice(0, 12);
}

/** One page for every address; the server sends it for deep links. Folded before it is compressed. */
const pages = adapter({ pages: out, assets: out, fallback: 'index.html' });
const folded = {
	...pages,
	async adapt(builder) {
		await pages.adapt(builder);
		fold(out);
		askForFonts(out);
		await builder.compress(out);
	},
};

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: true },
	kit: {
		adapter: folded,
		version: { name: nameOfBuild(), pollInterval: 300_000 },
	},
};
