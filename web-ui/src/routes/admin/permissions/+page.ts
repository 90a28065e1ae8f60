import { api, ask } from '$lib/api/client';
import { may } from '$lib/rights';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, parent, depends }) => {
	depends('keeper:grants');
	const { repositories, me } = await parent();
	const mine = repositories.filter((one) => may(me, 'manage', one.format, one.name));
	const asked = url.searchParams.get('repo');
	const chosen = mine.find((one) => `${one.format}/${one.name}` === asked) ?? mine[0];
	const query = { limit: 200, cursor: url.searchParams.get('cursor') ?? undefined };
	return { mine, chosen, grants: await ask(api.GET('/grants', { params: { query } })) };
};
