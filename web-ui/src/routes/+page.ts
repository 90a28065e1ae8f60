import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** What was published last, over all repositories that the caller may read. */
export const load: PageLoad = async () => {
	const newest = await ask(api.GET('/packages', { params: { query: { sort: 'newest', limit: 20 } } }));
	return { newest: newest.items };
};
