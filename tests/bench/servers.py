"""The sides of a comparison: the program under test and nginx, started on free loopback ports."""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

TOKEN = "benchmark-token-0123456789-abcdefghijklmnop"
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        try:
            # Certificates here are our own, and nothing secret is sent.
            with urllib.request.urlopen(url, timeout=2, context=ssl._create_unverified_context()):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def proc_status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Certificate:
    """A certificate for 127.0.0.1 that signs itself."""

    def __init__(self, folder):
        self.file, self.key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                        "-keyout", str(self.key), "-out", str(self.file)], check=True, capture_output=True)


class Keeper:
    """One server of ours with an empty store."""

    def __init__(self, binary, folder, certificate=None, **settings):
        self.binary, self.certificate, self.data = binary, certificate, folder / "keeper"
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.trust = ["--cacert", str(certificate.file)] if certificate else []
        self.curl = ["curl", "-sSf", *self.trust]
        self.environment = {
            "PATH": os.environ["PATH"],
            "KEEPER_LISTEN": f"127.0.0.1:{self.port}",
            "KEEPER_DATA_DIR": str(self.data),
            "KEEPER_ADMIN_TOKEN": TOKEN,
            "KEEPER_ANONYMOUS_READ": "true",
            "KEEPER_MAX_CONNECTIONS_PER_ADDRESS": "1024",
            "KEEPER_NETWORK_ALLOW": "127.0.0.1",
            **({"KEEPER_TLS_CERT": str(certificate.file), "KEEPER_TLS_KEY": str(certificate.key)} if certificate else {}),
            **settings,
        }
        self.log = open(folder / "keeper.log", "ab")
        self.start()

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen([self.binary], env=self.environment, stdout=self.log, stderr=self.log)
        wait_for(self.url + "/readyz")
        self.start_seconds = time.monotonic() - began

    @property
    def pids(self):
        return [self.process.pid]

    def publish(self, archive, name, version):
        answer = subprocess.run(
            ["curl", "-sS", "--fail-with-body", *self.trust, "-H", AUTHORIZATION, "-F", f"file=@{archive}",
             "-F", "format=go", "-F", f"name={name}", "-F", f"version={version}", "-F", "fork=true",
             f"{self.url}/api/artifacts"],
            capture_output=True, text=True, check=False)
        if answer.returncode:
            raise SystemExit(f"publishing {name}@{version}: {answer.stdout}{answer.stderr}")
        return json.loads(answer.stdout)

    def text(self, path, headers=("-H", AUTHORIZATION)):
        return subprocess.run([*self.curl, *headers, self.url + path], capture_output=True, text=True, check=True).stdout

    def get(self, path):
        return json.loads(self.text(path))

    def get_as_stranger(self, path):
        """As the load asks: a cursor belongs to whoever got it."""
        return json.loads(self.text(path, headers=()))

    def remote(self, name, url, **settings):
        """Makes go/<name>, a copy of what this upstream has; without further settings sums are checked nowhere but here."""
        repository = {"format": "go", "name": name, "kind": "remote", "anonymous_read": True,
                      "upstream": {"url": url, "allow_http": True}, "settings": settings or {"checksum_database": "off", "verify": "off"}}
        self.repository(repository)

    def repository(self, repository):
        subprocess.run([*self.curl, "-H", AUTHORIZATION, "-H", "Content-Type: application/json", "-d", json.dumps(repository),
                        f"{self.url}/api/repositories"], capture_output=True, check=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Nginx:
    """nginx serving a folder; `tuned` opens what it has for static files."""

    def __init__(self, folder, root, tuned=False, certificate=None, access_log=False):
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        work = folder / f"nginx-{'tuned' if tuned else 'default'}"
        work.mkdir()
        self.access_log = work / "access.log"
        log = f"log_format path '$request_uri'; access_log {self.access_log} path;" if access_log else "access_log off;"
        extra = "open_file_cache max=10000 inactive=60s; open_file_cache_valid 60s; open_file_cache_min_uses 1; keepalive_requests 1000000;" if tuned else ""
        keys = f"ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key}; ssl_protocols TLSv1.3;" if certificate else ""
        config = work / "nginx.conf"
        config.write_text(
            f"worker_processes auto; pid {work}/pid; error_log {work}/error.log; daemon off;"
            "events { worker_connections 768; }"
            f"http {{ sendfile on; tcp_nopush on; types_hash_max_size 2048; {log} {extra}"
            f"client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;"
            f"server {{ listen 127.0.0.1:{self.port}{' ssl' if certificate else ''}; {keys} root {root}; }} }}")
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(config), "-e", f"{work}/error.log"])
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.01)

    def requests(self):
        """The paths that were asked for, of one with an access log."""
        return self.access_log.read_text().splitlines()

    @property
    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
