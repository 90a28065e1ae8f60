/** Writes the fonts of the build in this folder into its page; gives how many they are. */
export function askForFonts(dist: string): number;
