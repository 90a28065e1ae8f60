"""Remote repositories: the first read of a file, many clients for one that is absent, and the go command."""

import os
import shutil
import statistics
import subprocess
import time

from goproxy import Goproxy
from load import show, wrk
from servers import Keeper, Nginx

MODULE = "example.com/bench/m"


def upstream_of(folder, options, size, access_log=False):
    """An upstream with a version for each round, and a server that copies it."""
    proxy = Goproxy(folder / "root")
    for number in range(options.rounds):
        proxy.add(MODULE, f"v1.{number}.0", size=size)
    return before(folder, options, proxy, access_log)


def before(folder, options, proxy, access_log=False):
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root, access_log=access_log), Keeper(options.binary, folder)
    keeper.remote("copies", upstream.url)
    return upstream, keeper


def fetched(url):
    """Seconds to the first byte and to the last one of a GET."""
    command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}", url]
    first, total = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(first), float(total)


def miss(folder, options):
    """The same zip given out while it comes (`verify: off`), and only when it is kept (`record`: this database knows nothing,
    so a question to it is measured and no proof)."""
    upstream, keeper = upstream_of(folder, options, size=10 << 20)
    keeper.remote("recorded", upstream.url, verify="record", checksum_database=f"sum.golang.org {upstream.url}")
    sides = {"upstream": upstream.url, "off": f"{keeper.url}/go/copies", "record": f"{keeper.url}/go/recorded"}
    times = {side: [] for side in sides}
    for number in range(options.rounds):
        for side, address in sides.items():
            times[side].append(fetched(f"{address}/{MODULE}/@v/v1.{number}.0.zip"))
    for side in (keeper, upstream):
        side.stop()
    rows = []
    for verify in ("off", "record"):
        for place, label in enumerate(("first byte", "last byte")):
            ratios = [a[place] / b[place] for a, b in zip(times[verify], times["upstream"], strict=True)]
            rows.append(show({"what": f"miss 10 MiB, verify: {verify}, seconds to the {label}",
                              "keeper": statistics.median(time[place] for time in times[verify]),
                              "upstream": statistics.median(time[place] for time in times["upstream"]),
                              "keeper/upstream": round(statistics.median(ratios), 2)}))
    return rows


def stampede(folder, options):
    upstream, keeper = upstream_of(folder, options, size=1 << 20, access_log=True)
    rates = [wrk(f"{keeper.url}/go/copies/{MODULE}/@v/v1.{number}.0.zip", 200, options.seconds)[0]
             for number in range(options.rounds)]
    for side in (keeper, upstream):
        side.stop()
    asked = upstream.requests()
    return [show({"what": "stampede, 200 clients for one absent zip, requests/s", "keeper": round(statistics.median(rates), 1),
                  "zips": options.rounds, "upstream requests": len(asked),
                  "most for one zip": max(asked.count(path) for path in asked)})]


def go(folder, options):
    proxy, project = Goproxy(folder / "root"), folder / "project"
    proxy.graph(project, modules=120)
    upstream, keeper = before(folder, options, proxy)

    def download(address):
        """Seconds of `go mod download all` with an empty module cache."""
        cache = folder / "modules"
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GOPROXY": address, "GOSUMDB": "off", "GOENV": "off",
                       "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOMODCACHE": str(cache), "GOCACHE": str(folder / "go-build")}
        began = time.monotonic()
        subprocess.run(["go", "mod", "download", "all"], cwd=project, env=environment, check=True, capture_output=True)
        seconds = time.monotonic() - began
        shutil.rmtree(cache)
        return seconds

    ours, files = f"{keeper.url}/go/copies", f"file://{proxy.root}"
    download(files)
    first = download(ours)
    pairs = [(download(ours), download(files)) for _ in range(options.rounds)]
    for side in (keeper, upstream):
        side.stop()
    return [show({"what": "go mod download all, 120 modules, seconds", "keeper": statistics.median(a for a, _ in pairs),
                  "file://": statistics.median(b for _, b in pairs),
                  "keeper/file://": round(statistics.median(a / b for a, b in pairs), 3), "keeper, nothing copied yet": first})]
