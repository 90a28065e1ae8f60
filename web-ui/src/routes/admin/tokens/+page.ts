import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends('keeper:tokens');
	const asked = (name: string) => url.searchParams.get(name) || undefined;
	const query = { owner: asked('owner'), cursor: asked('cursor'), limit: 100 };
	return { tokens: await ask(api.GET('/tokens', { params: { query } })), owner: query.owner ?? '' };
};
