import { sveltekit } from '@sveltejs/kit/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** `npm run dev` shows the pages over the data of this server. */
const server = process.env.KEEPER_DEV_SERVER ?? 'http://127.0.0.1:8080';

/** Where a first visit begins: the framework, the frame around all pages with the page of failures, the start page, and the
 * list of a repository, which is where links from elsewhere lead most. */
const FIRST = [/kit\/src\/runtime\/client\/entry\.js$/, /client-optimized\/app\.js$/];
const START_PAGES = /src\/routes\/(r\/\[format\]\/\[repo\]\/(\(list\)\/)?)?\+(layout|error|page)\.(svelte|ts)$/;
/** What several other pages need is one file, too. */
const SHARED = { name: 'shared', test: /src\/lib\/(api|components|formats|[a-z.]+\.ts)/, minShareCount: 2 };
type Module = { importers: readonly string[]; importedIds: readonly string[] };
type Graph = { getModuleInfo(id: string): Module | null };

/** The file of a module: one for all that a first visit needs without asking for more. */
function firstVisit(id: string, graph: Graph): string | null {
	const seen = new Set<string>();
	const needed = (one: string): boolean => {
		if (seen.has(one)) return false;
		seen.add(one);
		const { importers = [], importedIds = [] } = graph.getModuleInfo(one) ?? {};
		const begins = FIRST.some((start) => start.test(one)) || importedIds.some((other) => START_PAGES.test(other));
		return begins || importers.some(needed);
	};
	return needed(id) ? 'first' : null;
}

export default defineConfig({
	plugins: [sveltekit(), svelteTesting()],
	build: {
		target: 'es2022',
		// The policy of the server allows neither `data:` addresses nor inline scripts.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		// What a first visit to one of these pages runs is one file; `scripts/fold.js` takes away what would only lead to it.
		rolldownOptions: { output: { codeSplitting: { groups: [{ name: firstVisit }, SHARED] } } },
	},
	server: { proxy: { '/api': server, '/go': server, '/generic': server } },
	test: { environment: 'jsdom', include: ['tests/unit/**/*.test.ts'] },
});
