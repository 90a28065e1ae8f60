/** How old a version is that somebody needs. */
import type { Version } from '$lib/api/types';

/** Releases above it among these, the highest first, that were not taken back; `undefined` for one that is not among them. */
export function behind(versions: Version[], needs: string): number | undefined {
	const at = versions.findIndex(({ version }) => version === needs);
	if (at < 0) return undefined;
	return versions.slice(0, at).filter(isRelease).length;
}

function isRelease({ prerelease, retracted, state, notes }: Version): boolean {
	return (
		!prerelease && retracted === undefined && state === 'active' && !notes.some((note) => note.startsWith('pseudo'))
	);
}
