import { describe, expect, it } from 'vitest';
import { compared, draftOf, emptyDraft, toChange, toCreate } from '$lib/admin/kinds';
import { amountOf, bytesOf } from '$lib/admin/quota';
import { fits, why } from '$lib/admin/reasons';
import { lineOf, rulesOf } from '$lib/admin/upstream';
import type { Grant, Repository } from '$lib/api/types';
import { errorsOf, warningsOf } from '$lib/upload/report';

const repository = {
	format: 'go',
	name: 'local',
	kind: 'hosted',
	description: 'ours',
	anonymous_read: true,
	default_upload: true,
	deletion: 'tombstone',
	settings: { nosumdb: ['a.b'] },
	created_at: '2026-01-01T00:00:00Z',
	counts: { packages: 0, artifacts: 0, bytes: 0 },
} satisfies Repository;

describe('a repository', () => {
	it('is made with the part of its kind and no other', () => {
		const remote = { ...emptyDraft('remote'), members: ['x'] };
		remote.upstream.url = ' https://proxy.example ';
		const made = { format: 'go', name: 'up', kind: 'remote', description: '', anonymous_read: false };
		expect(toCreate('go', 'up', remote)).toEqual({ ...made, upstream: { url: 'https://proxy.example' } });
		const virtual = { ...emptyDraft('virtual'), members: ['local', 'up'], optional: ['up', 'gone'] };
		const part = { kind: 'virtual', members: ['local', 'up'], optional_members: ['up'], merge: false };
		expect(toCreate('go', 'main', virtual)).toMatchObject(part);
		expect(toCreate('go', 'main', virtual)).not.toHaveProperty('upstream');
		expect(toCreate('go', 'x', emptyDraft('hosted'))).toMatchObject({ deletion: 'tombstone', default_upload: false });
	});
	it('is changed in what differs only', () => {
		const before = draftOf(repository);
		expect(toChange(before, draftOf(repository))).toEqual({});
		expect(toChange(before, { ...draftOf(repository), description: 'new' })).toEqual({ description: 'new' });
	});
});

describe('where redirects of an upstream may lead', () => {
	const made = (redirects: 'any' | 'own' | 'named', redirect_hosts = '') => {
		const draft = emptyDraft('remote');
		draft.upstream = { ...draft.upstream, url: 'https://a', redirects, redirect_hosts };
		return toCreate('go', 'up', draft);
	};
	it('is anywhere, nowhere else, or to named hosts', () => {
		expect(made('any', 'left.over')).toMatchObject({ upstream: { url: 'https://a' } });
		expect(made('any', 'left.over').upstream).not.toHaveProperty('redirect_hosts');
		expect(made('own', 'left.over')).toMatchObject({ upstream: { redirect_hosts: [] } });
		expect(made('named', 'a.b\n *.c.d,')).toMatchObject({ upstream: { redirect_hosts: ['a.b', '*.c.d'] } });
	});
});

describe('an upstream', () => {
	const rule = { packages: 'a.b/*', versions: '>=v1.0.0 <v2.0.0', reason: 'see #7' };
	const remote = {
		...repository,
		kind: 'remote',
		upstream: {
			url: 'https://a',
			allow_http: false,
			credentials: { set: true },
			forbidden_as_not_found: false,
			index_seconds: 60,
			stale_seconds: 604_800,
			rules: { deny: [rule], allow: [], min_age_seconds: 86_400 },
			sources: [],
		},
	} satisfies Repository;
	function changed(change: Partial<ReturnType<typeof draftOf>['upstream']>) {
		const after = draftOf(remote);
		after.upstream = { ...after.upstream, ...change };
		return toChange(draftOf(remote), after);
	}
	it('is changed piece by piece, and an emptied one gets its default', () => {
		expect(changed({})).toEqual({});
		expect(changed({ url: 'https://b' })).toEqual({ upstream: { url: 'https://b' } });
		expect(changed({ index_seconds: '' })).toEqual({ upstream: { index_seconds: null } });
		expect(changed({ min_age_days: '' })).toEqual({ upstream: { rules: { min_age_seconds: 0 } } });
	});
	it('keeps its credentials unless others are typed or they are taken away', () => {
		const typed = { username: 'u', password: 'p', token: 't' };
		expect(changed(typed)).toEqual({});
		expect(changed({ ...typed, secret: 'login' })).toEqual({
			upstream: { credentials: { username: 'u', password: 'p' } },
		});
		expect(changed({ ...typed, secret: 'token' })).toEqual({ upstream: { credentials: { token: 't' } } });
		const removal = changed({ secret: 'remove' });
		expect(removal).toEqual({ upstream: { credentials: null } });
		expect(JSON.stringify(compared(changed({ ...typed, secret: 'login' }), remote))).not.toContain('"p"');
		expect(compared(removal, remote).theirs).toEqual({ 'upstream.credentials': 'kept' });
	});
	it('has its rules as lines, which say all that the rules do', () => {
		expect(lineOf(rule)).toBe('a.b/* >=v1.0.0 <v2.0.0 # see #7');
		expect(rulesOf(`\n${lineOf(rule)}\n  c.d  \n`)).toEqual([rule, { packages: 'c.d', versions: '', reason: '' }]);
		expect(changed({ deny: 'c.d' })).toEqual({
			upstream: { rules: { deny: [{ packages: 'c.d', versions: '', reason: '' }] } },
		});
	});
});

describe('the reason of a right', () => {
	const user = { login: 'ann', admin: false, disabled: false };
	const closed = { ...repository, anonymous_read: false };
	const grant = (repositories: string, role: string, group?: string): Grant => ({
		id: repositories,
		repositories,
		role,
		created_at: '',
		created_by: 'admin',
		...(group ? { group } : { user: 'ann' }),
	});
	it('is every rule that fits', () => {
		const found = why(user, 'publish', closed, [grant('go/*', 'publisher', 'team'), grant('go/local', 'reader')]);
		expect(found).toEqual({ may: true, reasons: ['group team, which ann is in, is publisher of go/*'] });
		expect(why({ ...user, admin: true }, 'manage', closed, []).may).toBe(true);
		expect(why(user, 'read', repository, []).reasons[0]).toContain('everybody');
	});
	it('or the rules that are near', () => {
		expect(why(user, 'delete', closed, [grant('go/local', 'publisher')])).toEqual({
			may: false,
			reasons: ['ann has only publisher of go/local'],
		});
		expect(why({ ...user, disabled: true }, 'publish', closed, [grant('*', 'owner')]).may).toBe(false);
	});
	it('follows patterns as the server reads them', () => {
		expect(fits('go/team-*', 'go/team-a')).toBe(true);
		expect(fits('go/team-*', 'go/teams')).toBe(false);
		expect(fits('*', 'generic/x')).toBe(true);
		expect(fits('go/a.b', 'go/aXb')).toBe(false);
	});
});

it('sizes are typed with a unit', () => {
	expect(bytesOf('1.5', 'GB')).toBe(1_500_000_000);
	expect(bytesOf('1,5', 'kB')).toBe(1500);
	for (const wrong of ['', ' ', 'x', '-1']) expect(bytesOf(wrong, 'MB')).toBeUndefined();
	expect(amountOf(12_400_000_000)).toEqual({ amount: '12.4', unit: 'GB' });
});

it('a report lists what was refused, or what was done with the archive', () => {
	const whole = { type: '', title: '', status: 422, code: 'module_mismatch', detail: 'd', hint: 'h', request_id: '' };
	expect(errorsOf({ ...whole, errors: [] })).toMatchObject([{ level: 'error', code: 'module_mismatch' }]);
	const entry = { code: 'case_collision', detail: 'two', hint: 'one', path: 'a' };
	expect(errorsOf({ ...whole, errors: [entry] })).toMatchObject([{ code: 'case_collision', path: 'a' }]);
	const warnings = [
		{ code: 'files_omitted', message: 'm' },
		{ code: 'license_missing', message: 'm' },
	];
	expect(warningsOf({ warnings } as never).map((finding) => finding.level)).toEqual(['dropped', 'warning']);
});
