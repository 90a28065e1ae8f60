import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, depends, url }) => {
	depends('keeper:tokens');
	const { me } = await parent();
	const query = { owner: me.login, limit: 100, cursor: url.searchParams.get('cursor') ?? undefined };
	return { tokens: await ask(api.GET('/tokens', { params: { query } })) };
};
