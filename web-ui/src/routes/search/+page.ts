import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** Results of a page. */
const LIMIT = 50;

export const load: PageLoad = async ({ url }) => {
	const asked = (name: string) => url.searchParams.get(name) || undefined;
	const q = asked('q')?.trim();
	if (!q) return { q: '', found: undefined, limit: LIMIT };
	const query = { q, format: asked('format'), repository: asked('repo'), cursor: asked('cursor'), limit: LIMIT };
	return { q, found: await ask(api.GET('/search', { params: { query } })), limit: LIMIT };
};
