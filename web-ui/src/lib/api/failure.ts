/**
 * The two ways in which a request fails: the server refused it and said why, or no answer came.
 *
 * Pages and sections show either; nothing else is caught.
 */
import type { Problem } from './types';

/** The server's refusal, with its problem document. */
export class Refusal extends Error {
	/** The HTTP status. */
	readonly status: number;
	readonly problem: Problem;
	/** Seconds after which it makes sense to ask again, if the server said so. */
	readonly retryAfter: number | undefined;

	constructor(status: number, problem: Problem, retryAfter?: number) {
		super(problem.detail || problem.title);
		this.name = 'Refusal';
		this.status = status;
		this.problem = problem;
		this.retryAfter = retryAfter;
	}

	/** The stable name of the fault. */
	get code(): string {
		return this.problem.code;
	}

	/** What is wrong with a field of the form that was sent. */
	of(field: string): string | undefined {
		return this.problem.errors?.find((entry) => entry.field === field)?.detail;
	}
}

/** No answer came: the server is down, or the network is. */
export class Unreachable extends Error {
	constructor() {
		super('The server cannot be reached.');
		this.name = 'Unreachable';
	}
}

/** The refusal that an answer tells of; one without a problem document comes from something between. */
export function refusalOf(status: number, body: unknown, headers: Headers): Refusal {
	const seconds = Number(headers.get('retry-after') ?? Number.NaN);
	return new Refusal(
		status,
		isProblem(body) ? body : strange(status, headers.get('x-request-id') ?? ''),
		Number.isFinite(seconds) ? seconds : undefined,
	);
}

function isProblem(body: unknown): body is Problem {
	return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}

function strange(status: number, request_id: string): Problem {
	return {
		type: 'about:blank',
		title: `The answer has the status ${status}`,
		status,
		code: 'unknown',
		detail: `The answer has the status ${status} and says no more. Something between you and the server may have given it.`,
		hint: 'Try again.',
		errors: [],
		request_id,
	};
}
