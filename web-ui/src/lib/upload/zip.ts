/**
 * Packs the files of a folder into a zip archive, without compression and without holding them in memory: the archive
 * is a `Blob` whose parts are headers and the files themselves. The server makes the canonical archive of it.
 *
 * Shape: local header and bytes for each file, then the central directory (APPNOTE.TXT 4.3). Bounds: [`ENTRIES`] files
 * and [`BYTES`] in all, below which no part of ZIP64 is needed.
 */

/** Files of an archive at most. */
export const ENTRIES = 65_534;
/** Bytes of an archive at most. */
export const BYTES = 4_000_000_000;

export type Packed = { name: string; file: Blob };

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
/** Names are UTF-8. */
const UTF8 = 0x0800;
/** 1980-01-01, the first day that the format knows: the server takes times from elsewhere. */
const DATE = 0x0021;

/**
 * The archive of these files, in their order.
 *
 * @throws RangeError when it would be too large.
 */
export async function zip(files: Packed[]): Promise<Blob> {
	const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
	if (files.length > ENTRIES || bytes > BYTES) {
		throw new RangeError('The folder holds too much for one upload from the browser. Pack it with git archive.');
	}
	const parts: BlobPart[] = [];
	const directory: BlobPart[] = [];
	let at = 0;
	let directoryBytes = 0;
	for (const { name, file } of files) {
		const encoded = new TextEncoder().encode(name);
		const sum = await crc32(file);
		const head = entry(LOCAL, encoded, sum, file.size, 0);
		const record = entry(CENTRAL, encoded, sum, file.size, at);
		parts.push(head, file);
		directory.push(record);
		at += head.byteLength + file.size;
		directoryBytes += record.byteLength;
	}
	const end = fields(
		[END, 4],
		[0, 2],
		[0, 2],
		[files.length, 2],
		[files.length, 2],
		[directoryBytes, 4],
		[at, 4],
		[0, 2],
	);
	return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}

function entry(kind: number, name: Uint8Array, sum: number, size: number, at: number): Uint8Array<ArrayBuffer> {
	const central = kind === CENTRAL;
	const head = fields(
		[kind, 4],
		...(central ? ([[20, 2]] as const) : []),
		[20, 2],
		[UTF8, 2],
		[0, 2],
		[0, 2],
		[DATE, 2],
		[sum, 4],
		[size, 4],
		[size, 4],
		[name.length, 2],
		[0, 2],
		...(central
			? ([
					[0, 2],
					[0, 2],
					[0, 2],
					[0, 4],
					[at, 4],
				] as const)
			: []),
	);
	const whole = new Uint8Array(head.length + name.length);
	whole.set(head);
	whole.set(name, head.length);
	return whole;
}

/** Numbers of 2 or 4 bytes, the lowest byte first. */
function fields(...values: (readonly [value: number, bytes: number])[]): Uint8Array<ArrayBuffer> {
	const made = new Uint8Array(values.reduce((sum, [, bytes]) => sum + bytes, 0));
	const view = new DataView(made.buffer);
	let at = 0;
	for (const [value, bytes] of values) {
		if (bytes === 2) view.setUint16(at, value, true);
		else view.setUint32(at, value, true);
		at += bytes;
	}
	return made;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte;
	for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
	return value;
});

/** The CRC-32 of a file, read in pieces. */
async function crc32(file: Blob): Promise<number> {
	const PIECE = 1 << 20;
	let sum = 0xffffffff;
	for (let at = 0; at < file.size; at += PIECE) {
		for (const byte of new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer())) {
			sum = (TABLE[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8);
		}
	}
	return (sum ^ 0xffffffff) >>> 0;
}
