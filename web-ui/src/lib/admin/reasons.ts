/**
 * Why somebody may do something: which rule says so.
 *
 * The server decides; these lines only say which of the rules that it told of fits. Roles include the ones before them.
 */
import type { Grant, Repository, User } from '$lib/api/types';

export const ACTIONS = ['read', 'publish', 'delete', 'manage'] as const;
export type Action = (typeof ACTIONS)[number];
export const ROLES = ['reader', 'publisher', 'maintainer', 'owner'] as const;

const BY_ROLE: Record<string, readonly Action[]> = {
	reader: ['read'],
	publisher: ['read', 'publish'],
	maintainer: ['read', 'publish', 'delete'],
	owner: ['read', 'publish', 'delete', 'manage'],
};

/** What a role allows. */
export function actionsOf(role: string): readonly Action[] {
	return BY_ROLE[role] ?? [];
}

/** Whether a pattern over `format/name` fits: `*` stands for any letters. */
export function fits(pattern: string, key: string): boolean {
	const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
	return new RegExp(`^${parts.join('.*')}$`).test(key);
}

/** Those grants that count for a repository. */
export function grantsOn<T extends Pick<Grant, 'repositories'>>(
	grants: T[],
	repository: Pick<Repository, 'format' | 'name'>,
): T[] {
	return grants.filter((grant) => fits(grant.repositories, `${repository.format}/${repository.name}`));
}

/** Whether a user may do it, and the reason in words. `grants` are those that count for the user. */
export function why(
	user: Pick<User, 'login' | 'admin' | 'disabled'>,
	action: Action,
	repository: Pick<Repository, 'format' | 'name' | 'anonymous_read'>,
	grants: Grant[],
): { may: boolean; reasons: string[] } {
	const key = `${repository.format}/${repository.name}`;
	const reasons: string[] = [];
	if (action === 'read' && repository.anonymous_read) reasons.push(`everybody may read ${key}, without signing in`);
	if (user.disabled) {
		return { may: reasons.length > 0, reasons: [...reasons, `${user.login} is disabled: no credential counts`] };
	}
	if (user.admin) reasons.push(`${user.login} administers the server`);
	for (const grant of grantsOn(grants, repository)) {
		if (!actionsOf(grant.role).includes(action)) continue;
		const by = grant.group === undefined ? user.login : `group ${grant.group}, which ${user.login} is in,`;
		reasons.push(`${by} is ${grant.role} of ${grant.repositories}`);
	}
	if (reasons.length) return { may: true, reasons };
	const near = grantsOn(grants, repository).map((grant) => `${grant.role} of ${grant.repositories}`);
	const has = near.length ? `${user.login} has only ${near.join(', ')}` : `no role of ${user.login} fits ${key}`;
	return { may: false, reasons: [has] };
}
