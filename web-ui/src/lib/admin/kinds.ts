/**
 * A repository as its form holds it: what all kinds share, and the part of each kind.
 *
 * ```text
 * hosted    takes uploads
 * remote    caches an upstream: its address, or a chain of them
 * virtual   shows members as one, in their order
 * ```
 */
import type { NewRepository, Repository, RepositoryChange } from '$lib/api/types';

export type Kind = 'hosted' | 'remote' | 'virtual';

/** Names under a pattern come from these members only, whatever the others have. */
export type Reserved = { pattern: string; members: string[] };

type Credentials = { username: string; password: string };
type OfKind = {
	upstream?: { url: string; allow_http?: boolean; credentials?: { set?: boolean } | Credentials };
	members?: string[];
	optional_members?: string[];
	reserved?: Reserved[];
	merge?: boolean;
};

export type Draft = {
	kind: Kind;
	description: string;
	anonymous_read: boolean;
	default_upload: boolean;
	deletion: string;
	settings: Record<string, unknown>;
	upstream_url: string;
	allow_http: boolean;
	username: string;
	password: string;
	members: string[];
	reserved: Reserved[];
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
		upstream_url: '',
		allow_http: false,
		username: '',
		password: '',
		members: [],
		reserved: [],
		merge: false,
	};
}

/** The form of a repository that is there. A password is never sent back, so its field is empty. */
export function draftOf(repository: Repository & OfKind): Draft {
	const { kind, description, anonymous_read, default_upload, deletion, settings, upstream } = repository;
	return {
		...emptyDraft(kind as Kind),
		description,
		anonymous_read,
		default_upload,
		deletion,
		settings: { ...(settings as Record<string, unknown>) },
		upstream_url: upstream?.url ?? '',
		allow_http: upstream?.allow_http ?? false,
		members: [...(repository.members ?? [])],
		reserved: (repository.reserved ?? []).map((one) => ({ ...one, members: [...one.members] })),
		merge: repository.merge ?? false,
	};
}

/** Whether the server keeps a password for the upstream. */
export function hasCredentials({ upstream }: Repository & OfKind): boolean {
	return Boolean(upstream?.credentials && 'set' in upstream.credentials && upstream.credentials.set);
}

/** What the list says of where a repository's packages come from and who may read them. */
export function ruleOf(repository: Repository & OfKind): string {
	if (repository.kind === 'virtual') return (repository.members ?? []).join(', ');
	if (repository.kind === 'remote') return `upstream: ${repository.upstream?.url ?? ''}`;
	const rules = [repository.anonymous_read ? 'read: everybody' : 'read: by grant'];
	if (repository.default_upload) rules.push('default for uploads');
	if (repository.deletion === 'never') rules.push('nothing is deleted');
	return rules.join(' · ');
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
	return { ...shared, ...(kind === 'hosted' ? hostedPart(draft) : ofKind(draft)) };
}

/** The request that changes one: only what differs, as a merge patch. */
export function toChange(before: Draft, after: Draft): RepositoryChange & OfKind {
	const wanted = bodyOf(after);
	const had = bodyOf(before);
	const changed = Object.entries(wanted).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(had[key]));
	return Object.fromEntries(changed);
}

function bodyOf(draft: Draft): Record<string, unknown> {
	const { description, anonymous_read, settings } = draft;
	return { description, anonymous_read, settings, ...(draft.kind === 'hosted' ? hostedPart(draft) : ofKind(draft)) };
}

function hostedPart({ default_upload, deletion }: Draft) {
	return { default_upload, deletion };
}

function ofKind(draft: Draft): OfKind {
	if (draft.kind === 'virtual') return { members: draft.members, reserved: draft.reserved, merge: draft.merge };
	const { username, password } = draft;
	const credentials = username || password ? { credentials: { username, password } } : {};
	return { upstream: { url: draft.upstream_url.trim(), allow_http: draft.allow_http, ...credentials } };
}
