import { api, ask } from '$lib/api/client';
import { Refusal } from '$lib/api/failure';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, depends }) => {
	depends('keeper:sessions');
	const { me } = await parent();
	// Only a session has sessions: a reader without one is shown how to sign in.
	if (!me.login) throw new Refusal(401, loginRequired());
	return { sessions: (await ask(api.GET('/me/sessions'))).items };
};

function loginRequired() {
	const title = 'A login is needed';
	return {
		type: 'about:blank',
		title,
		status: 401,
		code: 'login_required',
		detail: `${title}.`,
		hint: 'Sign in.',
		errors: [],
		request_id: '',
	};
}
