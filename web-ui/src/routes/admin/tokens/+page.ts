import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** Without a name it would be one's own. */
const EVERYBODY = '*';

export const load: PageLoad = async ({ url, depends }) => {
	depends('keeper:tokens');
	const asked = (name: string) => url.searchParams.get(name) || undefined;
	const owner = asked('owner');
	const query = { owner: owner ?? EVERYBODY, cursor: asked('cursor'), limit: 100 };
	return { tokens: await ask(api.GET('/tokens', { params: { query } })), owner: owner ?? '' };
};
