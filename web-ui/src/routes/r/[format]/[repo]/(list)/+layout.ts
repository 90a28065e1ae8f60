import { api, ask } from '$lib/api/client';
import type { Setup } from '$lib/api/types';
import type { LayoutLoad } from './$types';

/** The lines that set a client up: part of the first screen, so they come with it, and once for all filters and pages of
 * the list. Without them the list is whole. */
export const load: LayoutLoad = async ({ params, depends }) => {
	depends('keeper:setup');
	const path = { format: params.format, name: params.repo };
	const asked = ask(api.GET('/repositories/{format}/{name}/setup', { params: { path } }));
	const setup = await asked.then(
		(value): { value: Setup } | { fault: unknown } => ({ value }),
		(fault: unknown) => ({ fault }),
	);
	return { setup };
};
