import { api, ask } from '$lib/api/client';
import type { LayoutLoad } from './$types';

/** Nothing is rendered on a server; one page serves every address. */
export const ssr = false;

/** Who is asking and what there is: what every page shows around itself. */
export const load: LayoutLoad = async ({ depends }) => {
	depends('keeper:me');
	const [me, repositories] = await Promise.all([ask(api.GET('/me')), ask(api.GET('/repositories'))]);
	return { me, repositories: repositories.items };
};
