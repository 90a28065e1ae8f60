/** Plain files: name, version, path. */
import { type FormatText, lastPart } from './text';

export const generic: FormatText = {
	title: 'generic',
	noun: ['package', 'packages'],
	parts: lastPart,
	folders: true,
};
