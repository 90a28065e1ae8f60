import { api, ask, askWithHeaders } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, depends }) => {
	depends('keeper:repository');
	const path = { format: params.format, name: params.name };
	const [found, formats, quota, retention] = await Promise.all([
		askWithHeaders(api.GET('/repositories/{format}/{name}', { params: { path } })),
		ask(api.GET('/formats')),
		ask(api.GET('/repositories/{format}/{name}/quota', { params: { path } })),
		ask(api.GET('/repositories/{format}/{name}/retention', { params: { path } })),
	]);
	const format = formats.items.find((one) => one.key === params.format);
	return { repository: found.data, etag: found.etag, format, quota, retention };
};
