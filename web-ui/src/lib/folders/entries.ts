import type { ArtifactFile } from '$lib/api/types';

/** A file, or a folder with so many files below it. */
export type Entry = { name: string; path: string; size: number; files: number };

/** What stands directly in a folder: folders first, then files, each by name. */
export function entriesOf(files: Pick<ArtifactFile, 'name' | 'size'>[], folder: string): Entry[] {
	const begin = folder === '' ? '' : `${folder}/`;
	const entries = new Map<string, Entry>();
	for (const { name: path, size } of files) {
		if (!path.startsWith(begin)) continue;
		const rest = path.slice(begin.length);
		const slash = rest.indexOf('/');
		const name = slash < 0 ? rest : rest.slice(0, slash);
		const inside = slash >= 0;
		const entry = entries.get(name) ?? { name, path: begin + name, size: 0, files: 0 };
		entries.set(name, { ...entry, size: entry.size + size, files: entry.files + Number(inside) });
	}
	const order = (a: Entry, b: Entry) => Number(b.files > 0) - Number(a.files > 0) || (a.name < b.name ? -1 : 1);
	return [...entries.values()].sort(order);
}
