// What the linter does not know: the rules that the policy of the server and the safety of the pages rest on.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const RULES = [
	[/\sstyle="|\sstyle=\{|style:[a-z-]+=/, 'an inline style: the policy of the server stops it; use a class'],
	[/\{@html/, 'markup from a text: only Readme.svelte inserts markup, by its own policy'],
	[
		/\.innerHTML|insertAdjacentHTML|document\.write/,
		'markup from a text: only Readme.svelte inserts markup',
		'Readme.svelte',
	],
	[/\s(?:transition|in|out|animate):[a-z]+/, 'a transition writes style elements, which the policy stops'],
	[/https?:\/\/(?!127\.0\.0\.1|localhost)[a-z0-9.-]+\.[a-z]+[^\s'"`]*['"`]\s*\)/i, 'a request to another host'],
	[/\bfetch\(/, 'a request that knows nothing of failures: use $lib/api/client', 'client.ts', 'connection.svelte.ts'],
];

function* sources(folder) {
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) yield* sources(path);
		else if (/\.(svelte|ts)$/.test(entry.name) && !entry.name.startsWith('schema.')) yield path;
	}
}

let faults = 0;
for (const path of sources('src')) {
	readFileSync(path, 'utf8')
		.split('\n')
		.forEach((line, at) => {
			if (/^\s*(\/\/|\*|\/\*|<!--)/.test(line)) return;
			for (const [pattern, why, ...but] of RULES) {
				if (but.some((name) => path.endsWith(name)) || !pattern.test(line)) continue;
				console.error(`${path}:${at + 1}: ${why}\n    ${line.trim()}`);
				faults += 1;
			}
		});
}
const lock = readFileSync('package-lock.json', 'utf8');
if (/"resolved"/.test(lock)) {
	console.error('package-lock.json names hosts: delete it and run npm install with the settings of .npmrc');
	faults += 1;
}
process.exitCode = faults ? 1 : 0;
