/**
 * Sends one upload. The browser's own counter tells the progress, which only `XMLHttpRequest` has for bodies.
 */
import { API, OURS } from '$lib/api/client';
import { type Refusal, refusalOf, Unreachable } from '$lib/api/failure';
import type { Artifact } from '$lib/api/types';

export type Sending = { done: Promise<Artifact>; cancel: () => void };

/** The upload was taken back by whoever sent it. */
export class Cancelled extends Error {}

/**
 * Begins to send a form; `progress` gets the bytes sent so far and all bytes.
 *
 * `done` is the answer, or fails with a `Refusal`, `Unreachable` or `Cancelled`.
 */
export function send(form: FormData, dryRun: boolean, progress: (sent: number, all: number) => void): Sending {
	const request = new XMLHttpRequest();
	const done = new Promise<Artifact>((resolve, reject: (fault: Refusal | Unreachable | Cancelled) => void) => {
		request.open('POST', `${API}/artifacts${dryRun ? '?dry_run=true' : ''}`);
		for (const [name, value] of Object.entries(OURS)) request.setRequestHeader(name, value);
		request.responseType = 'json';
		request.upload.onprogress = (event) => progress(event.loaded, event.total);
		request.onload = () => {
			if (request.status < 300) resolve(request.response as Artifact);
			else reject(refusalOf(request.status, request.response, headersOf(request)));
		};
		request.onerror = () => reject(new Unreachable());
		request.onabort = () => reject(new Cancelled());
		request.send(form);
	});
	return { done, cancel: () => request.abort() };
}

function headersOf(request: XMLHttpRequest): Headers {
	const headers = new Headers();
	for (const name of ['retry-after', 'x-request-id']) {
		const value = request.getResponseHeader(name);
		if (value !== null) headers.set(name, value);
	}
	return headers;
}
