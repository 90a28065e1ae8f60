import { type Packed, zip } from './zip';

/** What version control and package managers keep beside the sources: never sent. */
const LEFT_OUT = /(^|\/)(\.git|\.hg|\.svn|node_modules)\//;

/** A chosen folder as one archive, below the folder's own name. */
export async function pack(files: File[]): Promise<File> {
	const packed: Packed[] = files
		.map((file) => ({ name: file.webkitRelativePath || file.name, file }))
		.filter(({ name }) => !LEFT_OUT.test(name))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
	const folder = packed[0]?.name.split('/')[0] || 'folder';
	return new File([await zip(packed)], `${folder}.zip`, { type: 'application/zip' });
}
