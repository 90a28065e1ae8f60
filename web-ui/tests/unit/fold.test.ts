import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fold } from '../../scripts/fold.js';
import { askForFonts } from '../../scripts/fonts.js';

/** A build of these files, as the bundler writes it. */
function build(files: Record<string, string>): string {
	const dist = mkdtempSync(join(tmpdir(), 'fold-'));
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(dist, name)), { recursive: true });
		writeFileSync(join(dist, name), text);
	}
	return dist;
}

const at = '_app/immutable';
const files = {
	'index.html':
		'<link href="/_app/immutable/entry/start.A.js" rel="modulepreload">\n' +
		'<link href="/_app/immutable/chunks/X.js" rel="modulepreload">\n' +
		'<link href="/_app/immutable/chunks/R.js" rel="modulepreload">\n' +
		'<script>import("/_app/immutable/entry/start.A.js")</script>',
	[`${at}/entry/start.A.js`]: 'export{a as start,b}from"../chunks/X.js";',
	[`${at}/nodes/0.B.js`]: 'export{c as component}from"../chunks/X.js"',
	[`${at}/nodes/1.C.js`]: 'import{t as q}from"../chunks/R.js";export const own=q({});',
	[`${at}/chunks/R.js`]: 'var d=1,t=x=>x;export{t};',
	[`${at}/chunks/X.js`]:
		'const f=["../nodes/0.B.js","./R.js"];import{t as e}from"./R.js";const n=[()=>import(`../nodes/0.B.js`),()=>import(`../nodes/1.C.js`)];export{a,b,c};',
};

describe('a build', () => {
	it('has no file that only leads to another, and nobody asks for one', () => {
		const dist = build(files);
		expect(fold(dist)).toBe(3);
		const left = readdirSync(join(dist, at), { recursive: true })
			.map(String)
			.filter((name) => name.endsWith('.js'));
		expect(left.sort()).toEqual(['chunks/X.js', 'nodes/1.C.js']);
		const page = readFileSync(join(dist, 'index.html'), 'utf8');
		expect(page).toContain('import("/_app/immutable/chunks/X.js").then((m) => ({start:m.a,b:m.b}))');
		expect(page.match(/modulepreload/g)).toHaveLength(1);
		const first = readFileSync(join(dist, at, 'chunks/X.js'), 'utf8');
		expect(first).toContain('import(`./X.js`).then(m=>({component:m.c}))');
		expect(first).toContain('const f=["./X.js","./X.js"]');
		expect(first).toContain('const e=(()=>{var d=1,t=x=>x;return t})();');
		expect(readFileSync(join(dist, at, 'nodes/1.C.js'), 'utf8')).toContain('const q=(()=>{var d=1');
	});

	it('is refused when something still asks for what went', () => {
		const dist = build({ ...files, [`${at}/chunks/Y.js`]: 'later(`../nodes/0.B.js`);' });
		expect(() => fold(dist)).toThrow('0.B.js');
	});
});

describe('the page of a build', () => {
	it('asks for the fonts before any script has run', () => {
		const link =
			'<link href="/_app/immutable/assets/mono.X.woff2" rel="preload" as="font" type="font/woff2" crossorigin>';
		const dist = build({
			'index.html': '<html>\n\t<head>\n\t</head>\n</html>',
			[`${at}/assets/mono.X.woff2`]: '',
			[`${at}/assets/first.Y.css`]: '',
		});
		expect(askForFonts(dist)).toBe(1);
		expect(readFileSync(join(dist, 'index.html'), 'utf8')).toContain(`${link}\n\t</head>`);
	});
});
