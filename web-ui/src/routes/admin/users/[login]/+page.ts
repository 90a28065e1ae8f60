import { api, ask, askWithHeaders } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, depends }) => {
	depends('keeper:user');
	depends('keeper:tokens');
	const { login } = params;
	const [user, tokens, grants] = await Promise.all([
		askWithHeaders(api.GET('/users/{login}', { params: { path: { login } } })),
		ask(api.GET('/tokens', { params: { query: { owner: login, limit: 100 } } })),
		ask(api.GET('/grants', { params: { query: { counting_for: login, limit: 200 } } })),
	]);
	return { user: user.data, etag: user.etag, tokens: tokens.items, grants: grants.items };
};
