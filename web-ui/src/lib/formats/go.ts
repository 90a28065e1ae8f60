/** Go modules. Source of the rules: https://go.dev/ref/mod */
import { type FormatText, lastPart } from './text';

/** The ending that names a major version from 2 on. */
const MAJOR = /\/v([2-9]|[1-9][0-9]+)$/;

export const go: FormatText = {
	title: 'Go',
	noun: ['module', 'modules'],
	install: (name, version) => `go get ${name}@${version}`,
	check: (name) => `go list -m -versions ${name}`,
	pin: (name, version) => `require ${name} ${version}`,
	sumLines({ name, version, checksums }) {
		const zip = checksums.h1;
		const mod = checksums['go.mod h1'];
		return [zip && `${name} ${version} ${zip}`, mod && `${name} ${version}/go.mod ${mod}`].filter(Boolean).join('\n');
	},
	sums: { h1: 'h1 of the zip', 'go.mod h1': 'h1 of go.mod' },
	sumFile: 'go.sum',
	manifest: { title: 'go.mod', suffix: '.mod' },
	parts(name) {
		const ending = MAJOR.exec(name);
		if (!ending) return lastPart(name);
		return { ...lastPart(name.slice(0, ending.index)), after: ending[0].slice(1) };
	},
	privatePattern: 'git.corp.example/*',
	family: (name) => name.replace(MAJOR, ''),
};
