// @vitest-environment node
import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { pack } from '$lib/upload/folder';
import { ENTRIES, zip } from '$lib/upload/zip';

const text = (parts: string) => new Blob([parts]);

it('an archive holds names, sums and bytes where readers look for them', async () => {
	const archive = await zip([
		{ name: 'm/go.mod', file: text('module m\n') },
		{ name: 'm/grüße.go', file: text('package m\n') },
	]);
	const bytes = Buffer.from(await archive.arrayBuffer());
	const end = bytes.length - 22;
	expect(bytes.readUInt32LE(end)).toBe(0x06054b50);
	expect(bytes.readUInt16LE(end + 10)).toBe(2);
	let at = bytes.readUInt32LE(end + 16);
	const found = [];
	while (at < end) {
		expect(bytes.readUInt32LE(at)).toBe(0x02014b50);
		const [sum, size, length] = [bytes.readUInt32LE(at + 16), bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28)];
		const local = bytes.readUInt32LE(at + 42);
		const begin = local + 30 + bytes.readUInt16LE(local + 26);
		const content = bytes.subarray(begin, begin + size);
		expect(sum).toBe(crc32(content));
		found.push([bytes.subarray(at + 46, at + 46 + length).toString('utf8'), content.toString()]);
		at += 46 + length;
	}
	expect(found).toEqual([
		['m/go.mod', 'module m\n'],
		['m/grüße.go', 'package m\n'],
	]);
});

it('a folder that holds too much is refused before anything is read', async () => {
	const many = Array.from({ length: ENTRIES + 1 }, (_, i) => ({ name: String(i), file: text('') }));
	await expect(zip(many)).rejects.toThrow(RangeError);
});

it('what version control keeps is left out of a folder', async () => {
	const file = (path: string) => Object.defineProperty(new File(['x'], 'x'), 'webkitRelativePath', { value: path });
	const packed = await pack([file('m/go.mod'), file('m/.git/config'), file('m/node_modules/a/b.js')]);
	expect(packed.name).toBe('m.zip');
	const held = Buffer.from(await packed.arrayBuffer()).toString('latin1');
	expect(held).toContain('m/go.mod');
	expect(held).not.toContain('.git');
	expect(held).not.toContain('node_modules');
});
