/** What the caller may do, as `GET /me` says it. The server decides; these pages only leave out what it would refuse. */
import type { Me } from './api/types';

type Action = 'read' | 'publish' | 'delete' | 'manage';

/** Whether the caller may do this in a repository. */
export function may(me: Me, action: Action, format: string, name: string): boolean {
	if (me.admin) return true;
	return me.repositories.some((one) => one.format === format && one.name === name && one.actions.includes(action));
}

/** Whether the caller may do this in any repository. */
export function mayAnywhere(me: Me, action: Action): boolean {
	return me.admin || me.repositories.some((one) => one.actions.includes(action));
}

/** Whether there is anything under Admin for the caller. */
export function mayAdminister(me: Me): boolean {
	return me.admin || mayAnywhere(me, 'manage');
}
