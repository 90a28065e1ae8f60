/** Bytes of a file that is shown as text at most. */
export const PREVIEW_BYTES = 262_144;

/** Whether decoded bytes read as text: no zero characters, and hardly any that stand for broken bytes. */
export function looksLikeText(text: string): boolean {
	if (text.includes('\0')) return false;
	const broken = text.split('\uFFFD').length - 1;
	return broken * 100 <= text.length;
}
