/** Light or dark: as the system has it, until somebody chooses. The choice is applied early in `app.html`. */
const KEY = 'keeper-theme';

/** Switches to the other one and remembers it. */
export function switchTheme(): void {
	const root = document.documentElement;
	const chosen = root.dataset.theme;
	const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
	root.dataset.theme = dark ? 'light' : 'dark';
	try {
		localStorage.setItem(KEY, root.dataset.theme);
	} catch {
		// Without storage the choice holds for this page.
	}
}
