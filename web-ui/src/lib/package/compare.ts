/** What is different between two versions of a package. */
import type { Artifact, Version } from '$lib/api/types';

/** One thing that differs: what was before and what is now; `undefined` for what is not there. */
export type Difference = { name: string; before?: string; after?: string };

type Needs = Pick<Artifact, 'dependencies'>;

/** Needs that came, went or moved to another version, by name. */
export function needsBetween(before: Needs, after: Needs): Difference[] {
	const [old, fresh] = [before, after].map(
		({ dependencies }) => new Map(dependencies.map(({ name, version }) => [name, version])),
	) as [Map<string, string>, Map<string, string>];
	const names = [...new Set([...old.keys(), ...fresh.keys()])].sort();
	return names
		.map((name) => ({ name, before: old.get(name), after: fresh.get(name) }))
		.filter((one) => one.before !== one.after);
}

/** The version that somebody most likely wants to compare with: the next release below, else whatever is next. */
export function below(versions: Version[], version: string): string | undefined {
	const at = versions.findIndex((one) => one.version === version);
	const older = versions.slice(at + 1).filter((one) => one.state !== 'deleted' && one.version !== version);
	const release = older.find((one) => !one.prerelease && one.retracted === undefined && one.notes.length === 0);
	return (release ?? older[0] ?? versions.find((one) => one.version !== version))?.version;
}
