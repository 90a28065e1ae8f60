"""Filling a cache: one client, two hundred at once, and the go command with a graph of modules."""

import os
import shutil
import statistics
import subprocess
import time

from goproxy import Goproxy
from load import show, wrk
from servers import Keeper, Nginx


def fetched(url):
    """Seconds to the first byte and to the last one of a GET."""
    command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}", url]
    first, total = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(first), float(total)


def miss(folder, options):
    proxy = Goproxy(folder / "root")
    for number in range(options.rounds):
        proxy.add("example.com/bench/m", f"v1.{number}.0", size=10 << 20)
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root), Keeper(options.binary, folder)
    keeper.remote("copies", upstream.url)
    rows = []
    figures = {"keeper": [], "upstream": []}
    for number in range(options.rounds):
        path = f"/example.com/bench/m/@v/v1.{number}.0.zip"
        figures["upstream"].append(fetched(upstream.url + path))
        figures["keeper"].append(fetched(f"{keeper.url}/go/copies{path}"))
    for place, label in enumerate(("first byte", "last byte")):
        pairs = [ours[place] / theirs[place] for ours, theirs in zip(figures["keeper"], figures["upstream"], strict=True)]
        row = {"what": f"miss 10 MiB, seconds to the {label}", "keeper/upstream": round(statistics.median(pairs), 2)}
        row |= {side: statistics.median(times[place] for times in figures[side]) for side in figures}
        rows.append(show(row))
    for side in (keeper, upstream):
        side.stop()
    return rows


def stampede(folder, options):
    proxy = Goproxy(folder / "root")
    for number in range(options.rounds):
        proxy.add("example.com/bench/m", f"v1.{number}.0", size=1 << 20)
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root, access_log=True), Keeper(options.binary, folder)
    keeper.remote("copies", upstream.url)
    rates = [wrk(f"{keeper.url}/go/copies/example.com/bench/m/@v/v1.{number}.0.zip", 200, options.seconds)[0]
             for number in range(options.rounds)]
    for side in (keeper, upstream):
        side.stop()
    asked = upstream.requests()
    row = {"what": "stampede, 200 clients for one absent zip", "zips": options.rounds, "upstream requests": len(asked),
           "most for one zip": max(asked.count(path) for path in asked), "requests/s": statistics.median(rates)}
    return [show(row)]


def go(folder, options):
    proxy = Goproxy(folder / "root")
    project = folder / "project"
    proxy.graph(project, modules=120)
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root), Keeper(options.binary, folder)
    keeper.remote("copies", upstream.url)
    rounds = iter(range(1_000))

    def download(address):
        """Seconds of `go mod download all` with an empty module cache."""
        cache = folder / f"cache{next(rounds)}"
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GOPROXY": address, "GOSUMDB": "off", "GOENV": "off",
                       "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOMODCACHE": str(cache), "GOCACHE": str(folder / "go-build")}
        began = time.monotonic()
        subprocess.run(["go", "mod", "download", "all"], cwd=project, env=environment, check=True, capture_output=True)
        seconds = time.monotonic() - began
        shutil.rmtree(cache)
        return seconds

    addresses = {"keeper": f"{keeper.url}/go/copies", "file": f"file://{proxy.root}"}
    download(addresses["file"])
    cold = download(addresses["keeper"])
    seconds = {side: [] for side in addresses}
    for _ in range(options.rounds):
        for side, address in addresses.items():
            seconds[side].append(download(address))
    row = {"what": "go mod download all, 120 modules, seconds", "the first time, from the upstream": round(cold, 3)}
    row |= {side: round(statistics.median(times), 3) for side, times in seconds.items()}
    pairs = zip(seconds["keeper"], seconds["file"], strict=True)
    row["keeper/file"] = round(statistics.median(ours / theirs for ours, theirs in pairs), 2)
    show(row)
    for side in (keeper, upstream):
        side.stop()
    return [row]
