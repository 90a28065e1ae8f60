import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends('keeper:users');
	const query = { limit: 100, cursor: url.searchParams.get('cursor') ?? undefined };
	return { users: await ask(api.GET('/users', { params: { query } })) };
};
