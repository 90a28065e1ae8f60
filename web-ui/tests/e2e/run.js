// Runs one scenario: node run.js FILE/NAME, with what it has to know in KEEPER_SCENARIO.
// What it found out, for the test that started it, is the last line of its output, as JSON.
import { Browser } from './browser.js';

const [file, name] = process.argv[2].split('/');
const known = JSON.parse(process.env.KEEPER_SCENARIO);
const scenarios = await import(`./${file}.js`);
const browser = await Browser.launch(known);
try {
	const found = await scenarios[name](browser, known.more ?? {}, known);
	browser.judge();
	console.log(JSON.stringify(found ?? null));
} catch (fault) {
	console.error(await browser.report(fault));
	process.exitCode = 1;
} finally {
	await browser.close();
}
