/**
 * The addresses of pages.
 *
 * Names stand in them as they are, each segment percent-encoded; `@version` is split at the last `@`, which no
 * package name holds.
 */

import { base } from '$app/paths';

type Place = { format: string; repository: string };

/** A path of this server below its prefix. */
export function at(path: string): string {
	return `${base}${path}`;
}

/** The page of a repository. */
export function toRepository(format: string, name: string): string {
	return at(`/r/${segment(format)}/${segment(name)}`);
}

/** The page of a package, at one of its versions or at its latest. */
export function toPackage(place: Place & { name: string }, version?: string): string {
	const name = segments(place.name) + (version === undefined ? '' : `@${segment(version)}`);
	return `${toRepository(place.format, place.repository)}/p/${name}`;
}

/** The page of a folder or file of plain files: `name/version/path`. */
export function toFolder(place: Place, path: string): string {
	return `${toRepository(place.format, place.repository)}/f/${segments(path)}`;
}

/** The address from which a client downloads a plain file. */
export function downloadPath(place: Place, path: string): string {
	return `/${segment(place.format)}/${segment(place.repository)}/${segments(path)}`;
}

/** Where the API gives a stored file, as a path below the API. */
export function storedFile(artifact: { id: string }, file: { name: string }): string {
	return `/artifacts/${encodeURIComponent(artifact.id)}/file?name=${encodeURIComponent(file.name)}`;
}

/** What a page's address names: a package and, behind the last `@`, a version. */
export function parsePackage(path: string): { name: string; version: string | undefined } {
	const sign = path.lastIndexOf('@');
	if (sign <= 0) return { name: path, version: undefined };
	return { name: path.slice(0, sign), version: path.slice(sign + 1) };
}

/** The same address with other parameters; empty ones are left out. */
export function withQuery(url: URL, changes: Record<string, string | undefined>): string {
	const query = new URLSearchParams(url.searchParams);
	for (const [key, value] of Object.entries(changes)) {
		if (value) query.set(key, value);
		else query.delete(key);
	}
	const text = query.toString();
	return url.pathname + (text ? `?${text}` : '');
}

/** Where to go after signing in: a path of these pages, whatever the address says. */
export function safeNext(next: string | null, origin: string): string {
	const home = at('/');
	if (!next?.startsWith('/') || /^\/[/\\]/.test(next)) return home;
	const url = URL.parse(next, origin);
	if (!url || url.origin !== origin || !url.pathname.startsWith(home)) return home;
	return url.pathname + url.search + url.hash;
}

/** Encodes what may not stand in a segment, and keeps what reads well: `+`, `~`, `@`, `!`. */
function segment(text: string): string {
	return encodeURIComponent(text).replaceAll('%40', '@').replaceAll('%2B', '+');
}

function segments(path: string): string {
	return path.split('/').map(segment).join('/');
}
