import type { Problem } from '$lib/api/types';

declare global {
	namespace App {
		/** What a failed page knows of its failure. */
		interface Error {
			message: string;
			/** The HTTP status of the server's answer; 0 when there was none. */
			status: number;
			/** The server's own words. */
			problem?: Problem;
		}
	}
}
