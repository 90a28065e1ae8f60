import { api, ask } from '$lib/api/client';
import { Refusal } from '$lib/api/failure';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, url, parent }) => {
	const { repositories } = await parent();
	const formats = [...new Set(repositories.map((one) => one.format))];
	const format = params.format ?? formats.find((one) => one === 'go') ?? formats[0];
	const places = repositories.filter((one) => one.format === format);
	const asked = url.searchParams.get('repo');
	// A virtual repository is the one address for everything, so it comes first.
	const order = ['virtual', 'hosted', 'remote'];
	const first = [...places].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))[0];
	const chosen = places.find((one) => one.name === asked) ?? first;
	const own = url.searchParams.get('private') ?? '';
	if (!format || !chosen) return { formats, format, places, chosen, own, setup: undefined, first: undefined };
	const path = { format, name: chosen.name };
	const lines = (query: { private?: string }) =>
		ask(api.GET('/repositories/{format}/{name}/setup', { params: { path, query } }));
	// Patterns that the format does not read leave the lines as they were, with a word beside the field.
	let fault: string | undefined;
	const withOwn = async () => {
		try {
			return await lines({ private: own });
		} catch (refusal) {
			if (!(refusal instanceof Refusal && refusal.status === 400)) throw refusal;
			fault = refusal.problem.detail;
			return lines({});
		}
	};
	const newest = { format, repository: chosen.name, sort: 'newest' as const, limit: 1 };
	const [setup, packages] = await Promise.all([
		own ? withOwn() : lines({}),
		ask(api.GET('/packages', { params: { query: newest } })),
	]);
	return { formats, format, places, chosen, own, fault, setup, first: packages.items[0] };
};
