/** What is told to people who do not see the page, in the one polite live region of the layout. */
class Voice {
	text = $state('');
}

export const voice = new Voice();

/** Tells it; the same text twice is told twice. */
export function say(text: string): void {
	voice.text = voice.text === text ? `${text}\u00a0` : text;
}
