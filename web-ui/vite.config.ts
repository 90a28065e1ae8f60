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
	},
	server: { proxy: { '/api': server, '/go': server, '/generic': server } },
	test: { environment: 'jsdom', include: ['tests/unit/**/*.test.ts'] },
});
