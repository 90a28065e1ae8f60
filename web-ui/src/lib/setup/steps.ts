import type { Package, Setup } from '$lib/api/types';
import { textOf } from '$lib/formats';

export type Step = { title: string; text: string; shell: boolean };

/** The fewest lines that make a repository usable: point the client at it, sign in where that is needed, get something. */
export function firstSteps(setup: Setup, first: Package | undefined): Step[] {
	const reading = setup.texts.filter((text) => text.purpose === 'read');
	const point = reading.find((text) => text.language === 'sh' && text.path === undefined);
	const credential = setup.credential_needed ? reading.find((text) => text.id === 'netrc') : undefined;
	const install = first?.latest === undefined ? undefined : textOf(setup.format).install?.(first.name, first.latest);
	const steps = [point, credential].filter((text) => text !== undefined);
	return [
		...steps.map(({ title, text, path }) => ({ title: path ? `${title}: ${path}` : title, text, shell: !path })),
		...(install ? [{ title: 'get one', text: install, shell: true }] : []),
		...(steps.length
			? []
			: [{ title: 'fetch a file', text: `curl --fail -O ${setup.repository_url}/NAME/VERSION/FILE`, shell: true }]),
	];
}
