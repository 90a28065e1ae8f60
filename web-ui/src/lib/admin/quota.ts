const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

export type Unit = keyof typeof UNITS;

/** A number of bytes as a person states it. */
export function bytesOf(amount: string, unit: Unit): number | undefined {
	const value = Number(amount.replace(',', '.'));
	return amount.trim() === '' || !Number.isFinite(value) || value < 0 ? undefined : Math.round(value * UNITS[unit]);
}

/** Bytes in the largest unit that gives a short number. */
export function amountOf(bytes: number): { amount: string; unit: Unit } {
	const units = Object.entries(UNITS).reverse() as [Unit, number][];
	const [unit, size] = units.find(([, size]) => bytes >= size) ?? ['kB', 1e3];
	return { amount: String(Math.round((bytes / size) * 1000) / 1000), unit };
}
