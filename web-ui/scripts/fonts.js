// Lets a first visit ask for the fonts at once: the style names them, but no letter is drawn before the scripts have run.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes the fonts of the build in this folder into its page; gives how many they are.
 *
 * @param {string} dist
 * @returns {number}
 */
export function askForFonts(dist) {
	const names = readdirSync(join(dist, '_app/immutable/assets')).filter((name) => name.endsWith('.woff2'));
	const links = names.map(
		(name) => `<link href="/_app/immutable/assets/${name}" rel="preload" as="font" type="font/woff2" crossorigin>`,
	);
	const index = join(dist, 'index.html');
	const page = readFileSync(index, 'utf8');
	writeFileSync(index, page.replace('</head>', `\t${links.sort().join('\n\t\t')}\n\t</head>`));
	return names.length;
}
