import type { HandleClientError } from '@sveltejs/kit';
import { Refusal, Unreachable } from '$lib/api/failure';
import { connection } from '$lib/connection.svelte';

/** What browsers say of a part of these pages that could not be loaded. */
const NOT_LOADED = /dynamically imported module|Importing a module script failed|preload CSS/;

/** What a page that could not be loaded knows. Faults of these pages themselves go to the console, too. */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (error instanceof Refusal) return { message: error.message, status: error.status, problem: error.problem };
	if (error instanceof Unreachable) return { message: error.message, status: 0 };
	if (error instanceof Error && NOT_LOADED.test(error.message)) {
		connection.lost();
		return { message: new Unreachable().message, status: 0 };
	}
	if (status !== 404) console.error(error);
	return { message, status };
};
