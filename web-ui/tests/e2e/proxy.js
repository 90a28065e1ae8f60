// A server before the server: what a reverse proxy does with requests, or a bad line.
import http from 'node:http';

/**
 * Passes requests on to `upstream` until it is closed. `change` says what is different in what is passed on (path,
 * headers); where it says nothing, it has answered by itself.
 */
export async function proxyTo(upstream, change) {
	const { hostname, port } = new URL(upstream);
	const server = http.createServer((request, response) => {
		const changed = change(request, response);
		if (!changed) return;
		const { method, url, headers } = request;
		const passed = http.request({ hostname, port, method, path: url, headers, ...changed }, (answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		passed.on('error', () => response.destroy());
		request.on('close', () => request.complete || passed.destroy());
		request.pipe(passed);
	});
	await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
	return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
