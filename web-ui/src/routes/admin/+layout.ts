import { Refusal } from '$lib/api/failure';
import { mayAdminister } from '$lib/rights';
import type { LayoutLoad } from './$types';

/** Those who have nothing to do here are told so at once; the server would refuse each call. */
export const load: LayoutLoad = async ({ parent }) => {
	const { me } = await parent();
	if (mayAdminister(me)) return;
	const problem = me.login
		? {
				status: 403,
				code: 'admin_required',
				title: 'Only an administrator may do this',
				hint: 'Ask one for the right.',
			}
		: { status: 401, code: 'login_required', title: 'A login is needed', hint: 'Sign in.' };
	throw new Refusal(problem.status, {
		...problem,
		type: 'about:blank',
		detail: `${problem.title}.`,
		errors: [],
		request_id: '',
	});
};
