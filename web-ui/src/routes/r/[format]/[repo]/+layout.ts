import { api, ask } from '$lib/api/client';
import type { LayoutLoad } from './$types';

/** The repository around its pages. */
export const load: LayoutLoad = async ({ params, depends }) => {
	depends('keeper:repository');
	const path = { format: params.format, name: params.repo };
	return { repository: await ask(api.GET('/repositories/{format}/{name}', { params: { path } })) };
};
