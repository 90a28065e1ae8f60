import { api, ask } from '$lib/api/client';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => ({ formats: (await ask(api.GET('/formats'))).items });
