/**
 * A repository as its form holds it: what all kinds share, and the part of each kind.
 *
 * ```text
 * hosted    takes uploads
 * remote    caches an upstream: its address, or a chain of them (`upstream.ts`)
 * virtual   shows members as one, in their order
 * ```
 */
import type { NewRepository, Repository, RepositoryChange, Reservation, Upstream } from '$lib/api/types';
import { emptyUpstream, sameUpstream, toUpstream, toUpstreamChange, type UpstreamDraft, upstreamOf } from './upstream';

export type Kind = 'hosted' | 'remote' | 'virtual';

export type Draft = {
	kind: Kind;
	description: string;
	anonymous_read: boolean;
	default_upload: boolean;
	deletion: string;
	settings: Record<string, unknown>;
	upstream: UpstreamDraft;
	members: string[];
	/** Members whose trouble counts as absence. */
	optional: string[];
	reserved: Reservation[];
	merge: boolean;
};

export function emptyDraft(kind: Kind): Draft {
	return {
		kind,
		description: '',
		anonymous_read: false,
		default_upload: false,
		deletion: 'tombstone',
		settings: {},
		upstream: emptyUpstream(),
		members: [],
		optional: [],
		reserved: [],
		merge: false,
	};
}

/** The form of a repository that is there. Credentials are never sent back, so their fields are empty. */
export function draftOf(repository: Repository): Draft {
	const { kind, description, anonymous_read, default_upload, deletion, settings, upstream } = repository;
	return {
		...emptyDraft(kind as Kind),
		description,
		anonymous_read,
		default_upload,
		deletion,
		settings: { ...(settings as Record<string, unknown>) },
		upstream: upstream ? upstreamOf(upstream) : emptyUpstream(),
		members: [...(repository.members ?? [])],
		optional: [...(repository.optional_members ?? [])],
		reserved: (repository.reserved ?? []).map((one) => ({ ...one, members: [...one.members] })),
		merge: repository.merge ?? false,
	};
}

/** What the list says of where a repository's packages come from and who may read them. */
export function ruleOf(repository: Repository): string {
	if (repository.kind === 'virtual') return (repository.members ?? []).join(', ');
	if (repository.kind === 'remote') return `upstream: ${repository.upstream?.url ?? ''}`;
	const rules = [repository.anonymous_read ? 'read: everybody' : 'read: by grant'];
	if (repository.default_upload) rules.push('default for uploads');
	if (repository.deletion === 'never') rules.push('nothing is deleted');
	return rules.join(' · ');
}

/** How it fares, in a word and its mark: an upstream that is left alone comes first. */
export function stateOf({ kind, upstream, counts }: Repository): { word: string; mark: string } {
	const resting = upstream?.sources.filter((source) => source.state === 'resting').length ?? 0;
	if (resting) return { word: resting === 1 ? 'a source rests' : `${resting} sources rest`, mark: 'm-deprecated' };
	if (kind !== 'virtual' && counts.packages === 0) return { word: 'empty', mark: '' };
	return { word: 'ok', mark: 'm-good' };
}

/** The request that makes it. */
export function toCreate(format: string, name: string, draft: Draft): NewRepository {
	const { kind, description, anonymous_read, settings } = draft;
	const shared = {
		format,
		name,
		kind,
		description,
		anonymous_read,
		...(Object.keys(settings).length ? { settings } : {}),
	};
	return { ...shared, ...partOf(draft), ...(kind === 'remote' ? { upstream: toUpstream(draft.upstream) } : {}) };
}

/** The request that changes one: only what differs, as a merge patch. */
export function toChange(before: Draft, after: Draft): RepositoryChange {
	const wanted = bodyOf(after);
	const had = bodyOf(before);
	const change = Object.fromEntries(
		Object.entries(wanted).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(had[key])),
	);
	if (after.kind !== 'remote' || sameUpstream(before.upstream, after.upstream)) return change;
	return { ...change, upstream: toUpstreamChange(before.upstream, after.upstream) };
}

/** What two drafts may differ in, by the names that the API gives it. */
function bodyOf(draft: Draft): Record<string, unknown> {
	const { description, anonymous_read, settings } = draft;
	return { description, anonymous_read, settings, ...partOf(draft) };
}

/** The part of its kind, but for an upstream, of which only pieces are changed. */
function partOf({ kind, default_upload, deletion, members, optional, reserved, merge }: Draft) {
	if (kind === 'hosted') return { default_upload, deletion };
	if (kind === 'remote') return {};
	return { members, optional_members: optional.filter((one) => members.includes(one)), reserved, merge };
}

/** A change beside what is there now, field by field, to be looked at. Secrets are not shown. */
export function compared(change: RepositoryChange, now: Repository) {
	const mine: Record<string, unknown> = {};
	const theirs: Record<string, unknown> = {};
	const { upstream = {}, ...shared } = change;
	for (const [key, value] of Object.entries(shared)) {
		mine[key] = value;
		theirs[key] = now[key as keyof Repository];
	}
	for (const [key, value] of Object.entries(upstream)) {
		const there = now.upstream?.[key as keyof Upstream];
		mine[`upstream.${key}`] = key === 'credentials' ? 'as you typed them' : (value ?? 'the default');
		theirs[`upstream.${key}`] = key === 'credentials' ? (now.upstream?.credentials.set ? 'kept' : 'none') : there;
	}
	return { mine, theirs };
}
