/**
 * What the server said about an upload, as findings to show: those that refuse it, and those that are worth knowing.
 */
import type { Artifact, Problem, ProblemEntry } from '$lib/api/types';
import { bytes } from '$lib/text';

export type Level = 'error' | 'warning' | 'dropped' | 'changed';
export type Finding = { level: Level; code: string; text: string; hint?: string; path?: string; field?: string };

/** The findings of an accepted upload, or of a check. */
export function warningsOf(artifact: Artifact): Finding[] {
	return artifact.warnings.map(({ code, message, path }) => ({ level: levelOf(code), code, text: message, path }));
}

/** The findings of a refused one. */
export function errorsOf(problem: Problem): Finding[] {
	const whole: ProblemEntry = { code: problem.code, detail: problem.detail, hint: problem.hint };
	const entries = problem.errors?.length ? problem.errors : [whole];
	return entries.map(({ code, detail, hint, path, field }) => ({
		level: 'error',
		code,
		text: detail,
		hint,
		path,
		field,
	}));
}

/** What is wrong with a file of more bytes than the server takes, in the server's words. */
export function tooLarge(file: File, most: number): Problem {
	return {
		type: 'about:blank',
		title: 'A size limit is exceeded',
		status: 413,
		code: 'too_large',
		detail: `${file.name} has ${bytes(file.size)}; this server takes at most ${bytes(most)}.`,
		hint: 'Leave out what nobody needs, or ask the administrator for a higher limit.',
		errors: [],
		request_id: '',
	};
}

/** Codes say in their last word what was done. */
function levelOf(code: string): Level {
	if (/_(dropped|omitted|skipped|ignored)$/.test(code)) return 'dropped';
	if (/_(renamed|rewritten|normalized|changed|replaced)$/.test(code)) return 'changed';
	return 'warning';
}
