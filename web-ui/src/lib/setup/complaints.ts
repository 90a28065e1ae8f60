/** What clients say when they are not set up, and what mends it: by format. */
export type Complaint = { says: string; means: string; mend: string };

const GO: Complaint[] = [
	{
		says: '401 Unauthorized',
		means:
			'No token was sent, it has ended, or it belongs to another host name: .netrc counts for exactly the host of the address.',
		mend: 'chmod 600 ~/.netrc',
	},
	{
		says: 'verifying module: … checksum database … 404 Not Found',
		means: 'Go asks the public checksum database about a private module.',
		mend: 'go env -w GONOSUMDB=YOUR.DOMAIN',
	},
	{
		says: 'git ls-remote … terminal prompts disabled',
		means: 'GOPRIVATE or GONOPROXY names the module, so Go goes around this server, straight to version control.',
		mend: 'go env -w GONOPROXY=none',
	},
	{
		says: 'invalid version: unknown revision',
		means: 'The tag exists in version control and was never published here.',
		mend: 'go list -m -versions MODULE',
	},
	{
		says: 'checksum mismatch',
		means:
			'Your go.sum knows other bytes than this server has. Compare it with the checksums of the version; never turn the check off.',
		mend: 'go mod verify',
	},
];

export function complaintsOf(format: string): Complaint[] {
	return format === 'go' ? GO : [];
}
