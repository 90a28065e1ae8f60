import { error } from '@sveltejs/kit';
import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

/** Versions of a package that are listed. */
const LIMIT = 100;

/** `name/version/path`: a package's versions, a folder of a version, or a file. */
export const load: PageLoad = async ({ params, url, depends }) => {
	depends('keeper:package');
	const { format, repo: repository } = params;
	const [name = '', version, ...below] = params.path.split('/').filter(Boolean);
	const packages = await ask(api.GET('/packages', { params: { query: { format, repository, name, limit: 1 } } }));
	const one = packages.items[0];
	if (!one) error(404, { status: 404, message: `There is no ${name} in ${repository}.` });
	if (version === undefined) {
		const query = { limit: LIMIT, cursor: url.searchParams.get('cursor') ?? undefined };
		const path = { id: one.id };
		return { one, versions: await ask(api.GET('/packages/{id}/versions', { params: { path, query } })), limit: LIMIT };
	}
	const query = { format, repository, name, version, limit: 1 };
	const artifact = (await ask(api.GET('/artifacts', { params: { query } }))).items[0];
	const at = below.join('/');
	const file = artifact?.files.find((one) => one.name === at);
	const folder = at === '' || artifact?.files.some((one) => one.name.startsWith(`${at}/`));
	if (!artifact || !(file || folder))
		error(404, { status: 404, message: `There is no ${params.path} in ${repository}.` });
	return { one, artifact, at, file };
};
