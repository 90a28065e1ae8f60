import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** Rows of a page. */
const LIMIT = 100;
const FILTERS = ['actor', 'action', 'repository', 'package', 'outcome', 'request_id', 'from', 'to'] as const;

export const load: PageLoad = async ({ url }) => {
	const asked = (name: string) => url.searchParams.get(name) || undefined;
	const chosen = Object.fromEntries(FILTERS.map((name) => [name, asked(name)]));
	const query = {
		...chosen,
		from: timeOf(asked('from')),
		to: timeOf(asked('to')),
		cursor: asked('cursor'),
		limit: LIMIT,
	};
	return { rows: await ask(api.GET('/audit', { params: { query } })), chosen, limit: LIMIT };
};

/** A day stands for its first moment in UTC. */
function timeOf(text: string | undefined): string | undefined {
	return text && /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
}
