/**
 * What the pages say about the packages of a format: words and lines to copy.
 *
 * A format without a file of its own here is shown in plain words, so a new plugin needs nothing in these pages.
 */
import type { Artifact } from '$lib/api/types';

/** A package's name in three parts: what stands before the loud part, that, and what stands behind it. */
export type NameParts = { before: string; loud: string; after: string };

export interface FormatText {
	/** The name of the ecosystem, short. */
	title: string;
	/** One package and several. */
	noun: readonly [one: string, several: string];
	/** The command that gets a package, at one version. */
	install?(name: string, version: string): string;
	/** The command that shows whether a client finds a package. */
	check?(name: string): string;
	/** What a project writes down to need exactly this version. */
	pin?(name: string, version: string): string;
	/** The lines of a lock file that hold the sums of a version. */
	sumLines?(artifact: Pick<Artifact, 'name' | 'version' | 'checksums'>): string;
	/** What each sum of a version is of, in the order in which they are shown; others follow under their own names. */
	sums?: Record<string, string>;
	/** What the lock file is called. */
	sumFile?: string;
	/** The file that declares the package, by the ending of its name among the artifact's files. */
	manifest?: { title: string; suffix: string };
	/** How the name is shown. */
	parts(name: string): NameParts;
	/** The name without the part that names its major version; packages that share it belong together. */
	family?(name: string): string;
	/** A pattern of somebody's own packages, for formats whose client must be told which they are. */
	privatePattern?: string;
	/** Whether a version is a place for files, so that people walk through folders. */
	folders?: boolean;
}

/** The loud part is what stands behind the last slash. */
export function lastPart(name: string): NameParts {
	const cut = name.lastIndexOf('/') + 1;
	return { before: name.slice(0, cut), loud: name.slice(cut), after: '' };
}
