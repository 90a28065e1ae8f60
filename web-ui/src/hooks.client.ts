import type { HandleClientError } from '@sveltejs/kit';
import { Refusal, Unreachable } from '$lib/api/failure';

/** What a page that could not be loaded knows. Faults of these pages themselves go to the console, too. */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (error instanceof Refusal) return { message: error.message, status: error.status, problem: error.problem };
	if (error instanceof Unreachable) return { message: error.message, status: 0 };
	if (status !== 404) console.error(error);
	return { message, status };
};
