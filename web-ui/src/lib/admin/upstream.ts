/**
 * The upstream of a remote repository as its form holds it: numbers as they are typed, rules line by line.
 *
 * Credentials travel one way only: an empty field leaves what the server keeps.
 */
import type { AdmissionRule, Upstream, UpstreamChange } from '$lib/api/types';

/** What is done with the credentials that the server keeps. */
export type Secret = 'keep' | 'login' | 'token' | 'remove';

/** Where redirects may lead: anywhere, nowhere but to the source's own host, or to named hosts besides. */
export type Redirects = 'any' | 'own' | 'named';

export type UpstreamDraft = {
	url: string;
	allow_http: boolean;
	forbidden_as_not_found: boolean;
	redirects: Redirects;
	/** Hosts, one in a line. */
	redirect_hosts: string;
	index_seconds: string;
	stale_seconds: string;
	/** Rules as lines: `PATTERN [BOUNDS] [# REASON]`. */
	deny: string;
	allow: string;
	min_age_days: string;
	secret: Secret;
	username: string;
	password: string;
	token: string;
};

const DAY_SECONDS = 86_400;

export function emptyUpstream(): UpstreamDraft {
	return {
		url: '',
		allow_http: false,
		forbidden_as_not_found: false,
		redirects: 'any',
		redirect_hosts: '',
		index_seconds: '',
		stale_seconds: '',
		deny: '',
		allow: '',
		min_age_days: '',
		secret: 'keep',
		username: '',
		password: '',
		token: '',
	};
}

export function upstreamOf(upstream: Upstream): UpstreamDraft {
	const { url, allow_http, forbidden_as_not_found, redirect_hosts, index_seconds, stale_seconds, rules } = upstream;
	return {
		...emptyUpstream(),
		url,
		allow_http,
		forbidden_as_not_found,
		redirects: redirect_hosts ? (redirect_hosts.length ? 'named' : 'own') : 'any',
		redirect_hosts: redirect_hosts?.join('\n') ?? '',
		index_seconds: String(index_seconds),
		stale_seconds: String(stale_seconds),
		deny: rules.deny.map(lineOf).join('\n'),
		allow: rules.allow.map(lineOf).join('\n'),
		min_age_days: rules.min_age_seconds ? String(rules.min_age_seconds / DAY_SECONDS) : '',
	};
}

/** The upstream of a new repository: what was left empty gets the server's default. */
export function toUpstream(draft: UpstreamDraft): UpstreamChange {
	return toUpstreamChange(emptyUpstream(), draft);
}

export function sameUpstream(before: UpstreamDraft, after: UpstreamDraft): boolean {
	return Object.keys(toUpstreamChange(before, after)).length === 0;
}

/** What differs, as a merge patch: `null` takes a part back to its default. */
export function toUpstreamChange(before: UpstreamDraft, after: UpstreamDraft): UpstreamChange {
	const change: Record<string, unknown> = {};
	if (after.url.trim() !== before.url) change.url = after.url.trim();
	for (const key of ['allow_http', 'forbidden_as_not_found'] as const) {
		if (after[key] !== before[key]) change[key] = after[key];
	}
	const [hosts, hostsBefore] = [hostsOf(after), hostsOf(before)];
	if (JSON.stringify(hosts) !== JSON.stringify(hostsBefore)) change.redirect_hosts = hosts;
	for (const key of ['index_seconds', 'stale_seconds'] as const) {
		if (after[key] !== before[key]) change[key] = after[key] === '' ? null : Number(after[key]);
	}
	const rules: Record<string, unknown> = {};
	for (const key of ['deny', 'allow'] as const) if (after[key] !== before[key]) rules[key] = rulesOf(after[key]);
	if (after.min_age_days !== before.min_age_days) {
		rules.min_age_seconds = Math.round(Number(after.min_age_days) * DAY_SECONDS);
	}
	if (Object.keys(rules).length) change.rules = rules;
	const credentials = credentialsOf(after);
	if (credentials !== undefined) change.credentials = credentials;
	// The document has no way to say that a part may be `null` in a change.
	return change as UpstreamChange;
}

/** The hosts that redirects may lead to besides the source's own; `null` for any. */
function hostsOf({ redirects, redirect_hosts }: UpstreamDraft): string[] | null {
	if (redirects === 'any') return null;
	return redirects === 'own' ? [] : redirect_hosts.split(/[\s,]+/).filter(Boolean);
}

function credentialsOf({ secret, username, password, token }: UpstreamDraft) {
	switch (secret) {
		case 'login':
			return { username, password };
		case 'token':
			return { token };
		case 'remove':
			return null;
		case 'keep':
			return undefined;
	}
}

/** A rule as a line: `github.com/evil/* >=v1.2.0 <v1.2.5 # see the incident of March`. */
export function lineOf({ packages, versions = '', reason = '' }: AdmissionRule): string {
	return [packages, versions, reason && `# ${reason}`].filter(Boolean).join(' ');
}

/** The rules of these lines; empty ones are none. */
export function rulesOf(lines: string): AdmissionRule[] {
	return lines
		.split('\n')
		.map((line) => line.trim())
		.filter(Boolean)
		.map((line) => {
			// A name may hold the sign; with a blank before it, it begins the reason.
			const cut = line.search(/\s#/);
			const said = cut < 0 ? line : line.slice(0, cut);
			const [packages = '', ...versions] = said.split(/\s+/);
			return { packages, versions: versions.join(' '), reason: cut < 0 ? '' : line.slice(cut + 2).trim() };
		});
}
