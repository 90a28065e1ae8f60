import { generic } from './generic';
import { go } from './go';
import { type FormatText, lastPart } from './text';

const KNOWN: Record<string, FormatText> = { go, generic };

/** What the pages say about this format. */
export function textOf(format: string): FormatText {
	return KNOWN[format] ?? { title: format, noun: ['package', 'packages'], parts: lastPart };
}

export type { FormatText, NameParts } from './text';
