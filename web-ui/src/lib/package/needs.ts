/**
 * The packages that a version needs, where this server has them: looked for once for all sections of a page.
 */
import { api, ask } from '$lib/api/client';
import type { Artifact, Package } from '$lib/api/types';

/** Needs that are shown, and looked for, at first. */
export const FIRST = 20;

/** Direct needs first. */
export function needsOf({ dependencies }: Pick<Artifact, 'dependencies'>): Artifact['dependencies'] {
	return [...dependencies].sort((a, b) => Number(a.kind !== '') - Number(b.kind !== ''));
}

const asked = new WeakMap<Artifact, Promise<Map<string, Package>>>();

/** Those among the first needs that this server has, by name; the own repository wins. */
export function neededHere(artifact: Artifact): Promise<Map<string, Package>> {
	const known = asked.get(artifact);
	if (known) return known;
	const found = find(artifact);
	asked.set(artifact, found);
	// What failed is asked for again by whoever wants it next.
	found.catch(() => asked.delete(artifact));
	return found;
}

async function find(artifact: Artifact): Promise<Map<string, Package>> {
	const found = new Map<string, Package>();
	const look = async (name: string) => {
		const query = { format: artifact.format, name, limit: 10 };
		const { items } = await ask(api.GET('/packages', { params: { query } }));
		const one = items.find((item) => item.repository === artifact.repository) ?? items[0];
		if (one) found.set(name, one);
	};
	await Promise.all(
		needsOf(artifact)
			.slice(0, FIRST)
			.map(({ name }) => look(name)),
	);
	return found;
}
