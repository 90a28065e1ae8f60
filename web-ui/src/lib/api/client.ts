/**
 * Requests to the API, typed by its document.
 *
 * `ask` gives the body of a good answer and throws what `failure.ts` declares for all others. Every request carries
 * the header that no foreign form can send; the session's cookie goes by itself and is never seen here.
 */

import createClient from 'openapi-fetch';
import { base } from '$app/paths';
import { connection } from '$lib/connection.svelte';
import { refusalOf, Unreachable } from './failure';
import type { paths } from './schema';

/** Where the API is, with the prefix below which this server is known. */
export const API = `${base}/api`;

/** The header that changing requests of these pages carry. */
export const OURS = { 'X-Keeper-Request': '1' } as const;

/** The client; its methods name paths and methods of the document. */
export const api = createClient<paths>({ baseUrl: API, headers: OURS, fetch: watched });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/**
 * The body of a good answer.
 *
 * @throws Refusal, Unreachable
 */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
	return (await askWithHeaders(answer)).data;
}

/**
 * The body of a good answer and its entity tag, to be given back as `If-Match` by a form that changes it.
 *
 * @throws Refusal, Unreachable
 */
export async function askWithHeaders<T>(answer: Promise<Answer<T>>): Promise<{ data: T; etag: string | undefined }> {
	const { data, error, response } = await answer;
	if (!response.ok) throw refusalOf(response.status, error, response.headers);
	return { data: data as T, etag: response.headers.get('etag') ?? undefined };
}

/** A text that the API gives as it is: the start of a stored file. */
export async function askText(path: string, signal?: AbortSignal): Promise<string> {
	const response = await watched(new Request(`${API}${path}`, { headers: OURS, signal }));
	if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => null), response.headers);
	return response.text();
}

let shown = false;
let leaving: Promise<unknown> | undefined;

/** A page stands: from here on whoever was signed out is told so where it matters. */
export function pageStands(): void {
	shown = true;
}

/**
 * A request that tells the rest of the page whether the server can be reached.
 *
 * The cookie of a session that has ended is in the way of everything, also of what anyone may read. While nothing is shown
 * there is nothing to lose: it is given up, and what was asked for is asked for as somebody unknown.
 */
async function watched(request: Request): Promise<Response> {
	const again = !shown && request.method === 'GET' ? request.clone() : undefined;
	try {
		const response = await fetch(request);
		connection.reached();
		if (again && response.status === 401 && response.headers.get('X-Error-Code') === 'invalid_credentials') {
			leaving ??= fetch(new Request(`${API}/session`, { method: 'DELETE', headers: OURS }));
			await leaving;
			return await fetch(again);
		}
		return response;
	} catch (fault) {
		if (request.signal.aborted) throw fault;
		connection.lost();
		throw new Unreachable();
	}
}
