import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const [status, formats] = await Promise.all([ask(api.GET('/status')), ask(api.GET('/formats'))]);
	return { status, formats: formats.items };
};
