import { say } from './say.svelte';

/** Puts a text on the clipboard and tells of it; false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		say('Copied');
		return true;
	} catch {
		say('The browser did not allow copying. Select the text and copy it by hand.');
		return false;
	}
}
