// Takes away the files of a build that do nothing but lead to another: a first visit asks for one script, not for six.
//
// The bundler gives each entry and each page a file of its own. Of those whose code went into the script of the first
// visit (vite.config.ts) only a line is left: `export{a as start}from"../chunks/X.js"`. Whoever asks for such a file asks
// for X itself instead. The bundler's own few lines that X needs go into it.
//
// Names of files are made from what was in them before: who changes this script and nothing else gives other bytes under
// known names.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

/** Characters of the bundler's own lines, which are copied to whoever needs them. */
const SMALL = 400;
const LEADS = /^export\{([^}]*)\}from"([^"]+)";?\s*$/;

/** `a as b,c` as the fields of an object: `b:m.a,c:m.c`. */
function fields(names) {
	const pairs = names.split(',').map((one) => one.split(' as ').map((name) => name.trim()));
	return pairs.map(([inner, outer = inner]) => `${outer}:m.${inner}`).join(',');
}

/**
 * Folds the build in this folder; gives how many files went.
 *
 * @param {string} dist
 * @returns {number}
 */
export function fold(dist) {
	const app = join(dist, '_app/immutable');
	const scripts = readdirSync(app, { recursive: true })
		.map(String)
		.filter((name) => name.endsWith('.js'));
	const text = new Map(scripts.map((name) => [name, readFileSync(join(app, name), 'utf8')]));
	const leads = new Map();
	for (const [name, code] of text) {
		const found = LEADS.exec(code);
		if (found) leads.set(name, { to: join(dirname(name), found[2]), fields: fields(found[1]) });
	}
	const index = join(dist, 'index.html');
	let page = readFileSync(index, 'utf8');
	for (const [name, { to, fields }] of leads) {
		page = page.replace(new RegExp(`\\s*<link href="/_app/immutable/${escaped(name)}" rel="modulepreload">`), '');
		page = page.replace(
			`import("/_app/immutable/${name}")`,
			`import("/_app/immutable/${to}").then((m) => ({${fields}}))`,
		);
		for (const [from, code] of text) {
			if (leads.has(from)) continue;
			const path = (target) => addressed(dirname(from), target);
			let changed = code.replaceAll(
				`import(\`${path(name)}\`)`,
				() => `import(\`${path(to)}\`).then(m=>({${fields}}))`,
			);
			changed = changed.replaceAll(`"${path(name)}"`, `"${path(to)}"`);
			text.set(from, changed);
		}
		text.delete(name);
		rmSync(join(app, name));
	}
	const heart = [...leads.values()][0]?.to;
	const small = new Set();
	for (const [name, code] of text) {
		const own = withOwnRuntime(name, code, text);
		text.set(name, own.code);
		for (const one of own.taken) small.add(one);
	}
	for (const name of small) {
		page = page.replace(new RegExp(`\\s*<link href="/_app/immutable/${escaped(name)}" rel="modulepreload">`), '');
		// In the lists of what to load before a page, the script that is there already stands for it.
		for (const [from, code] of text) {
			const [one, other] = [name, heart].map((target) => `"${addressed(dirname(from), target)}"`);
			text.set(from, code.replaceAll(one, other));
		}
		leads.set(name, { to: heart, fields: '' });
		text.delete(name);
		rmSync(join(app, name));
	}
	const gone = [...leads.keys()].find(
		(name) => page.includes(name) || [...text.values()].some((code) => code.includes(basename(name))),
	);
	if (gone) throw new Error(`fold: something still asks for ${gone}`);
	for (const [name, code] of text) writeFileSync(join(app, name), code);
	rmSync(join(app, 'entry'), { recursive: true, force: true });
	writeFileSync(index, page);
	return leads.size;
}

/** The code of a script with what it imports of files that export one small thing and import nothing. */
function withOwnRuntime(name, code, text) {
	const taken = [];
	const inlined = code.replace(/import\{(\w+) as ([\w$]+)\}from"(\.{1,2}\/[^"]+)";/g, (whole, inner, outer, path) => {
		const from = join(dirname(name), path);
		const body = /^(var [\s\S]*);export\{(\w+)\};?\s*$/.exec(text.get(from) ?? '');
		if (!body || body[2] !== inner || body[1].includes('import') || body[1].length > SMALL) return whole;
		taken.push(from);
		return `const ${outer}=(()=>{${body[1]};return ${inner}})();`;
	});
	return { code: inlined, taken };
}

function addressed(folder, name) {
	const path = relative(folder, name);
	return path.startsWith('.') ? path : `./${path}`;
}

function escaped(name) {
	return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
