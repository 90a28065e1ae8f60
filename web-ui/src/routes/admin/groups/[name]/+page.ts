import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, url, depends }) => {
	depends('keeper:groups');
	depends('keeper:grants');
	const path = { name: params.name };
	const query = { limit: 100, cursor: url.searchParams.get('cursor') ?? undefined };
	const [group, members, grants] = await Promise.all([
		ask(api.GET('/groups/{name}', { params: { path } })),
		ask(api.GET('/groups/{name}/members', { params: { path, query } })),
		ask(api.GET('/grants', { params: { query: { group: params.name, limit: 200 } } })),
	]);
	return { group, members, grants: grants.items };
};
