/**
 * What a format found out about a version. The fields belong to the format, so each is read as if it could be anything;
 * what is not there is not shown.
 */
import type { Artifact } from '$lib/api/types';

export type Origin = { url?: string; ref?: string; commit?: string };

export type Facts = {
	language?: string;
	licences: string[];
	packages: string[];
	/** The file that introduces it, if there is one. */
	readme?: string;
	files?: number;
	bytes?: number;
	timeSource?: string;
	/** The upstream, or the other place, that it was copied from. */
	copiedFrom?: string;
	origin: Origin;
};

type Fields = Record<string, unknown>;

export function factsOf({ metadata }: Pick<Artifact, 'metadata'>): Facts {
	const fields = record(metadata);
	const origin = record(fields.origin);
	return {
		language: text(fields.go),
		licences: texts(fields.licenses),
		packages: texts(fields.packages),
		readme: text(fields.readme),
		files: number(fields.files),
		bytes: number(fields.size_bytes),
		timeSource: text(fields.time_source),
		copiedFrom: text(fields.copied_from),
		origin: {
			url: text(origin.URL),
			ref: text(origin.Ref),
			commit: text(fields.commit) ?? text(origin.Hash),
		},
	};
}

/** In which way a version came, as words and the call that did it; nothing for a way that is not known. */
export function wayOf(
	{ format, repository }: Pick<Artifact, 'format' | 'repository'>,
	way: string | undefined,
): { words: string; call: string } | undefined {
	switch (way) {
		case 'api':
			return { words: 'through', call: 'POST /api/artifacts' };
		case 'client':
			return { words: 'by a client at', call: `/${format}/${repository}/` };
		case 'import':
			return { words: 'taken over with', call: 'artifact-keeper import' };
		case 'upstream':
			return { words: 'when somebody asked', call: `/${format}/${repository}/` };
		default:
			return undefined;
	}
}

function record(value: unknown): Fields {
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: unknown): string | undefined {
	return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: unknown): number | undefined {
	return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function texts(value: unknown): string[] {
	return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
