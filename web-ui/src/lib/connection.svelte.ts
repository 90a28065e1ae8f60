/**
 * Whether the server can be reached. Requests say what they found; while it cannot, a probe asks again after 1, 2, 5
 * and then every 15 seconds, and when the browser says that it is online.
 */

import { base } from '$app/paths';

const WAITS_MS = [1000, 2000, 5000, 15_000];

class Connection {
	/** When the last answer came before the connection was lost; `undefined` while all is well. */
	lostSince = $state<Date | undefined>();
	#last = new Date();
	#tries = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** An answer came. */
	reached() {
		this.#last = new Date();
		if (!this.lostSince) return;
		clearTimeout(this.#timer);
		this.#tries = 0;
		this.lostSince = undefined;
	}

	/** No answer came. */
	lost() {
		if (this.lostSince) return;
		this.lostSince = this.#last;
		this.#wait();
	}

	/** Asks now. */
	async probe() {
		clearTimeout(this.#timer);
		try {
			await fetch(`${base}/livez`, { cache: 'no-store' });
			this.reached();
		} catch {
			this.#wait();
		}
	}

	#wait() {
		const wait = WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)];
		this.#tries += 1;
		this.#timer = setTimeout(() => this.probe(), wait);
	}
}

export const connection = new Connection();
