/** The table of error codes, read from the generated page of the documentation. */

export type Code = { name: string; status: string; meaning: string; remedy: string };
export type CodeGroup = { title: string; codes: Code[] };

/** The groups of codes in `docs/errors.md`: a heading, then rows `| \`code\` | status | meaning | remedy |`. */
export function codesOf(document: string): CodeGroup[] {
	const groups: CodeGroup[] = [];
	for (const line of document.split('\n')) {
		if (line.startsWith('## ')) groups.push({ title: line.slice(3).trim(), codes: [] });
		const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
		const [, name = '', ...rest] = cells;
		if (!/^`[a-z0-9_]+`$/.test(name)) continue;
		const [status = '', meaning = '', remedy = ''] = rest.length >= 4 ? rest : ['', ...rest];
		groups.at(-1)?.codes.push({ name: name.slice(1, -1), status, meaning: plain(meaning), remedy: plain(remedy) });
	}
	return groups.filter((group) => group.codes.length > 0);
}

/** What the generator escaped for Markdown, as it was. */
function plain(text: string): string {
	return text.replaceAll('&lt;', '<').replaceAll('&amp;', '&').replaceAll('\\|', '|');
}
