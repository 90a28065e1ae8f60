import { sveltekit } from '@sveltejs/kit/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** `npm run dev` shows the pages over the data of this server. */
const server = process.env.KEEPER_DEV_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [sveltekit(), svelteTesting()],
	build: {
		target: 'es2022',
		// The policy of the server allows neither `data:` addresses nor inline scripts.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		// Few files on a first visit: what every page needs is one, the framework another.
		rolldownOptions: {
			output: {
				codeSplitting: {
					groups: [
						{ name: 'framework', test: /node_modules|\.svelte-kit/, minShareCount: 2 },
						{ name: 'shared', test: /src\/lib\/(api|components|formats|[a-z.]+\.ts)/, minShareCount: 2 },
					],
				},
			},
		},
	},
	server: { proxy: { '/api': server, '/go': server, '/generic': server } },
	test: { environment: 'jsdom', include: ['tests/unit/**/*.test.ts'] },
});
