import { connection } from './connection.svelte';
import { say } from './say.svelte';

/** A form on its way: one answer at a time, and the failure of the last try. What was typed is not touched. */
export class Submit {
	busy = $state(false);
	fault = $state.raw<unknown>();

	/** Nothing can be sent now: something is on its way, or the server is away, as the bar on top says. */
	get blocked(): boolean {
		return this.busy || connection.lostSince !== undefined;
	}

	/** Does it; true when it went well. `done` is told to those who do not see the page. */
	async run(act: () => Promise<unknown>, done: string): Promise<boolean> {
		if (this.busy) return false;
		this.busy = true;
		this.fault = undefined;
		try {
			await act();
			say(done);
			return true;
		} catch (fault) {
			this.fault = fault;
			return false;
		} finally {
			this.busy = false;
		}
	}
}
