// Sizes of what browsers load, compressed as they get it, against their bounds. Usage: node size.js DIST
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const dist = process.argv[2] ?? 'build';
const KB = 1000;
const zipped = (path) => gzipSync(readFileSync(join(dist, path)), { level: 9 }).length;
const all = readdirSync(join(dist, '_app/immutable'), { recursive: true }).map((name) => `_app/immutable/${name}`);
const ending = (text) => all.filter((name) => name.endsWith(text));

/** The scripts that these import at their start, and what those import. */
function withImports(paths, seen = new Set()) {
	for (const path of paths) {
		if (seen.has(path)) continue;
		seen.add(path);
		const text = readFileSync(join(dist, path), 'utf8');
		const imported = [...text.matchAll(/(?:from|import)\s*"([^"]+\.js)"/g)].map(([, to]) => join(path, '..', to));
		withImports(imported, seen);
	}
	return seen;
}

const index = readFileSync(join(dist, 'index.html'), 'utf8');
const entries = [...index.matchAll(/"\/(_app\/immutable\/[^"]+\.js)"/g)].map(([, path]) => path);
// What the page itself asks for has the frame and the start page in it (vite.config.ts).
const first = withImports(entries);
const sum = (paths) => [...paths].reduce((total, path) => total + zipped(path), 0);
const lazy = ending('.js')
	.filter((name) => !first.has(name))
	.map((name) => [name, zipped(name)]);
const largest = lazy.reduce((most, one) => (one[1] > most[1] ? one : most), ['none', 0]);
const fonts = ending('.woff2').reduce((total, name) => total + readFileSync(join(dist, name)).length, 0);

const rows = [
	['scripts of the first page', sum(first), 70 * KB],
	[`largest lazy script (${largest[0].split('/').pop()})`, largest[1], 25 * KB],
	['styles', sum(ending('.css')), 14 * KB],
	['fonts', fonts, 80 * KB],
];
for (const [name, bytes, bound] of rows) {
	console.log(`${bytes > bound ? 'TOO LARGE' : 'ok'}  ${name}: ${(bytes / KB).toFixed(1)} kB of ${bound / KB} kB`);
}
console.log(`scripts of the first page: ${first.size} requests`);
process.exitCode = rows.some(([, bytes, bound]) => bytes > bound) ? 1 : 0;
