import { codesOf } from '$lib/errors';
import document from '../../../../../docs/errors.md?raw';

/** The same table as in the project's documentation, which is generated from the codes in the source. */
export const load = () => ({ groups: codesOf(document) });
