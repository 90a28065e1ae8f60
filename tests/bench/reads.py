"""Reads: small files and documents, with a login, conditional, over TLS; and large files."""

import os
import subprocess

from load import compare, module_zip, wrk
from servers import AUTHORIZATION, Certificate, Keeper, Nginx

BASE = "/go/local/example.com/bench/m"
SMALL = [f"{BASE}/@v/v1.50.0.info", f"{BASE}/@v/v1.50.0.mod", f"{BASE}/@v/list", f"{BASE}/@latest"]
SIZES = {"100 KiB": 100 << 10, "1 MiB": 1 << 20, "10 MiB": 10 << 20, "100 MiB": 100 << 20}


def hundred_versions(keeper, folder):
    archive = folder / "small.zip"
    module_zip(archive, 1, 4096)
    for number in range(100):
        keeper.publish(archive, "example.com/bench/m", f"v1.{number}.0")


def large_modules(keeper, folder):
    """Publishes one module of each size; their addresses."""
    paths = {}
    for minor, (label, size) in enumerate(SIZES.items()):
        archive = folder / "module.zip"
        module_zip(archive, 4, size)
        version = keeper.publish(archive, "example.com/bench/m", f"v1.{minor}.0")["version"]
        paths[label] = f"{BASE}/@v/{version}.zip"
    return paths


def mirror(keeper, folder, paths):
    """The answers as files, for nginx."""
    root = folder / "root"
    for path in paths:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*keeper.curl, "-o", str(target), keeper.url + path], check=True)
    os.chmod(folder, 0o755)
    return root


def stop(sides):
    for side in sides.values():
        side.stop()


def small(folder, options):
    keeper = Keeper(options.binary, folder)
    hundred_versions(keeper, folder)
    root = mirror(keeper, folder, SMALL)
    sides = {"keeper": keeper, "nginx": Nginx(folder, root), "nginx tuned": Nginx(folder, root, tuned=True)}
    rows = [compare(f"small {path.removeprefix(BASE)}, requests/s", sides,
                    lambda side, path=path: wrk(side.url + path, 64, options.seconds)[0], options)
            for path in SMALL]
    stop(sides)
    return rows


def auth(folder, options):
    """The same, but nobody reads without a token."""
    sides = {}
    for name, anonymous in (("keeper", False), ("keeper, anonymous", True)):
        place = folder / name.replace(", ", "-")
        place.mkdir()
        sides[name] = Keeper(options.binary, place, KEEPER_ANONYMOUS_READ=str(anonymous).lower())
        hundred_versions(sides[name], place)
    headers = {sides["keeper"]: [AUTHORIZATION], sides["keeper, anonymous"]: []}
    rows = [compare(f"auth {path.removeprefix(BASE)}, requests/s", sides,
                    lambda side, path=path: wrk(side.url + path, 64, options.seconds, headers=headers[side])[0], options)
            for path in SMALL[:1]]
    stop(sides)
    return rows


class Variant:
    """A server, asked in its own way."""

    def __init__(self, server, headers):
        self.server, self.headers, self.pids = server, headers, server.pids

    def ask(self, path, seconds):
        return wrk(self.server.url + path, 64, seconds, headers=self.headers)[0]


def conditional(folder, options):
    """A client that has the bytes already, against one that has not."""
    keeper = Keeper(options.binary, folder)
    hundred_versions(keeper, folder)
    rows = []
    for path in SMALL[:3]:
        head = subprocess.run([*keeper.curl, "-I", keeper.url + path], capture_output=True, text=True, check=True).stdout
        etag = next(line.split(":", 1)[1].strip() for line in head.splitlines() if line.lower().startswith("etag:"))
        sides = {"keeper, If-None-Match": Variant(keeper, [f"If-None-Match: {etag}"]), "keeper": Variant(keeper, [])}
        rows.append(compare(f"conditional {path.removeprefix(BASE)}, requests/s", sides,
                            lambda side, path=path: side.ask(path, options.seconds), options))
    keeper.stop()
    return rows


def zips(folder, options):
    keeper = Keeper(options.binary, folder)
    paths = large_modules(keeper, folder)
    root = mirror(keeper, folder, paths.values())
    rows = of_zips("zip", {"keeper": keeper, "nginx": Nginx(folder, root)}, paths, (1, 32), options)
    return rows


def of_zips(name, sides, paths, clients, options):
    rows = [compare(f"{name} {label}, {connections} connections, bytes/s", sides,
                    lambda side, path=path, connections=connections: wrk(side.url + path, connections, options.seconds)[1],
                    options)
            for label, path in paths.items() for connections in clients]
    stop(sides)
    return rows


def tls(folder, options):
    """`small` and `zip` over HTTPS, with one certificate for both."""
    certificate = Certificate(folder)
    keeper = Keeper(options.binary, folder, certificate=certificate)
    hundred_versions(keeper, folder)
    root = mirror(keeper, folder, SMALL)
    sides = {"keeper": keeper, "nginx": Nginx(folder, root, certificate=certificate)}
    rows = [compare(f"tls {path.removeprefix(BASE)}, requests/s", sides,
                    lambda side, path=path: wrk(side.url + path, 64, options.seconds)[0], options)
            for path in SMALL[:2]]
    archive = folder / "module.zip"
    module_zip(archive, 4, SIZES["10 MiB"])
    keeper.publish(archive, "example.com/bench/large", "v1.0.0")
    large = "/go/local/example.com/bench/large/@v/v1.0.0.zip"
    mirror(keeper, folder, [large])
    return rows + of_zips("tls zip", sides, {"10 MiB": large}, (1, 32), options)
