/** Folds the build in this folder; gives how many files went. */
export function fold(dist: string): number;
