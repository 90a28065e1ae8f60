import { api, ask } from '$lib/api/client';
import { parsePackage } from '$lib/links';
import type { PageLoad } from './$types';

/** Versions that the page of a package knows: those of the ruler. */
const KNOWN = 200;
/** Versions of a page in the list of all. */
const LISTED = 100;

export const load: PageLoad = async ({ params, url, depends }) => {
	depends('keeper:package');
	const { name, version: asked } = parsePackage(params.path);
	const { format, repo: repository } = params;
	const view = url.searchParams.get('view') ?? '';
	const packages = await ask(api.GET('/packages', { params: { query: { format, repository, name, limit: 1 } } }));
	const one = packages.items[0];
	if (!one) return { name, asked, view, one: undefined };

	const listed = view === 'versions';
	const fromEnd = listed && url.searchParams.get('from') === 'end';
	const query = listed
		? {
				limit: LISTED,
				cursor: url.searchParams.get('cursor') ?? undefined,
				q: url.searchParams.get('q') ?? undefined,
				deleted: url.searchParams.get('deleted') === 'true' || undefined,
				order: fromEnd ? ('lowest' as const) : undefined,
			}
		: { limit: KNOWN };
	const versionsOf = ask(api.GET('/packages/{id}/versions', { params: { path: { id: one.id }, query } }));
	// Where nothing is the latest (all are yanked, say), the highest is shown.
	const version = asked ?? one.latest ?? (await versionsOf).items[0]?.version;
	const exact = { format, repository, name, version, limit: 1 };
	const [page, found] = await Promise.all([
		versionsOf,
		version === undefined ? undefined : ask(api.GET('/artifacts', { params: { query: exact } })),
	]);
	// A page that was counted from the end is shown in the usual order all the same.
	const versions = fromEnd ? { ...page, items: [...page.items].reverse() } : page;
	return { name, asked, view, one, versions, version, artifact: found?.items[0] };
};
