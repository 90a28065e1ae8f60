import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends('keeper:groups');
	const query = { limit: 100, cursor: url.searchParams.get('cursor') ?? undefined };
	return { groups: await ask(api.GET('/groups', { params: { query } })) };
};
