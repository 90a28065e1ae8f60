/**
 * The uploads of this page: each is checked first, then published when its person says so, or at once.
 *
 * ```text
 * waiting → sending → checking → checked → sending → checking → published
 *                              ↘ refused            ↘ refused       (nothing is stored)
 *           failed: the connection broke off; cancelled: taken back
 * ```
 */
import { Refusal, Unreachable } from '$lib/api/failure';
import type { Artifact } from '$lib/api/types';
import { say } from '$lib/say.svelte';
import { errorsOf, type Finding, tooLarge, warningsOf } from './report';
import { Cancelled, type Sending, send } from './send';

/** Uploads that are sent at the same time. */
const AT_ONCE = 2;

/** What a person states about a file; empty fields are found out by the server. */
export type Stated = {
	format: string;
	repository: string;
	name: string;
	version: string;
	origin: string;
	/** Fields that only the format knows, by their names. */
	more: Record<string, string>;
	/** Bytes that the server takes at most, if that is known. */
	most: number | undefined;
};

type State = 'waiting' | 'sending' | 'checking' | 'checked' | 'published' | 'refused' | 'failed' | 'cancelled';

export class Job {
	readonly id = crypto.randomUUID();
	readonly file: File;
	stated = $state<Stated>() as Stated;
	/** Whether it waits for a word after the check. */
	checkFirst: boolean;
	state = $state<State>('waiting');
	sent = $state(0);
	all = $state(0);
	/** Bytes in a second, over the whole of this sending. */
	rate = $state(0);
	artifact = $state.raw<Artifact>();
	findings = $state.raw<Finding[]>([]);
	/** The whole answer, to be copied. */
	answer = $state.raw<unknown>();
	fault = $state.raw<unknown>();
	#sending: Sending | undefined;
	#publish = false;

	constructor(file: File, stated: Stated, checkFirst: boolean) {
		this.file = file;
		this.stated = stated;
		this.checkFirst = checkFirst;
		this.#publish = !checkFirst;
	}

	get active(): boolean {
		return this.state === 'sending' || this.state === 'checking';
	}

	get errors(): number {
		return this.findings.filter((finding) => finding.level === 'error').length;
	}

	/** Puts it into the queue again, to be published or to be checked. */
	again(publish: boolean) {
		this.#publish = publish;
		this.state = 'waiting';
		queue.advance();
	}

	cancel() {
		if (this.active) this.#sending?.cancel();
		else this.state = 'cancelled';
	}

	async run() {
		const { most } = this.stated;
		if (most !== undefined && this.file.size > most) {
			// The server would say the same, and close the connection on the bytes that are under way.
			this.#refuse(new Refusal(413, tooLarge(this.file, most)));
			return;
		}
		this.state = 'sending';
		this.fault = undefined;
		const began = performance.now();
		let told = 0;
		this.#sending = send(form(this.file, this.stated), !this.#publish, (sent, all) => {
			this.sent = sent;
			this.all = all;
			this.rate = (sent / Math.max(1, performance.now() - began)) * 1000;
			const quarter = Math.floor((sent / Math.max(1, all)) * 4) * 25;
			if (quarter > told && quarter < 100) say(`${this.file.name}: ${quarter} percent sent`);
			told = Math.max(told, quarter);
			if (sent >= all) this.state = 'checking';
		});
		try {
			this.#accept(await this.#sending.done);
		} catch (fault) {
			this.#refuse(fault);
		}
		say(`${this.file.name}: ${this.state}`);
		queue.advance();
	}

	#accept(artifact: Artifact) {
		this.artifact = artifact;
		this.answer = artifact;
		this.findings = warningsOf(artifact);
		this.state = this.#publish ? 'published' : 'checked';
		// What was found out fills the fields that were left empty.
		this.stated = { ...this.stated, name: artifact.name, version: artifact.version };
	}

	#refuse(fault: unknown) {
		this.artifact = undefined;
		if (fault instanceof Cancelled) {
			this.state = 'cancelled';
		} else if (fault instanceof Refusal && fault.status !== 401 && fault.status < 500 && fault.status !== 429) {
			this.answer = fault.problem;
			this.findings = errorsOf(fault.problem);
			this.state = 'refused';
		} else {
			this.fault = fault;
			this.state = 'failed';
			if (!(fault instanceof Refusal || fault instanceof Unreachable)) throw fault;
		}
	}
}

function form(file: File, stated: Stated): FormData {
	const form = new FormData();
	// Fields first: the server can refuse a wrong one before the bytes have come.
	form.set('format', stated.format);
	for (const key of ['repository', 'name', 'version'] as const) if (stated[key]) form.set(key, stated[key]);
	const [url, ref] = stated.origin.trim().split(/\s+/);
	if (url) form.set('origin_url', url);
	if (ref) form.set('origin_ref', ref);
	for (const [key, value] of Object.entries(stated.more)) if (value) form.set(key, value);
	form.set('file', file, file.name);
	return form;
}

/** Lives as long as the tab, so uploads go on while other pages are looked at. */
class Queue {
	jobs = $state<Job[]>([]);

	add(file: File, stated: Stated, checkFirst: boolean): Job {
		this.jobs.unshift(new Job(file, stated, checkFirst));
		const job = this.jobs[0] as Job;
		this.advance();
		return job;
	}

	remove(job: Job) {
		this.jobs = this.jobs.filter((other) => other.id !== job.id);
	}

	/** Starts those that wait, as far as there is room; the first that came is the first to go. */
	advance() {
		const room = AT_ONCE - this.jobs.filter((job) => job.active).length;
		const waiting = this.jobs.filter((job) => job.state === 'waiting').reverse();
		for (const job of waiting.slice(0, Math.max(0, room))) void job.run();
	}
}

export const queue = new Queue();
