import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** Packages of a page. */
const LIMIT = 100;
const ORDERS = ['newest', 'name', 'most_used'] as const;

export const load: PageLoad = async ({ params, url }) => {
	const asked = (name: string) => url.searchParams.get(name) || undefined;
	const sort = ORDERS.find((order) => order === asked('sort')) ?? 'newest';
	const query = {
		format: params.format,
		repository: params.repo,
		q: asked('q'),
		sort,
		cursor: asked('cursor'),
		limit: LIMIT,
	};
	const packages = await ask(api.GET('/packages', { params: { query } }));
	return { packages, sort, q: query.q ?? '', limit: LIMIT };
};
