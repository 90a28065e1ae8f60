"""The benchmark: every figure is a ratio taken in one run, the sides in turn, medians of the rounds.

    make bench                       everything
    make bench ONLY=small,zip        some of it

Writes results/<date>.json (not committed) and prints its rows. It asserts nothing: judging is for people.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
<<<<<<< HEAD
import random
import re
import shutil
import statistics
=======
>>>>>>> wt-five
import subprocess
import tempfile

<<<<<<< HEAD
from goproxy import Goproxy
from servers import TOKEN, Keeper, Nginx, cpu_seconds, proc_status

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "target" / "release" / "artifact-keeper"
ALL = ["start", "small", "zip", "publish-small", "publish-large", "miss", "stampede", "go"]


def wrk(url, connections, seconds, script=None, threads=2):
    """Requests and bytes per second of one run."""
    command = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(script)] if script else []
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx|Socket errors", text):
        raise SystemExit(f"{url}: not all answers were good:\n{text}")
    requests = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)(\w+)", text).groups()
    return requests, float(amount) * {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[unit]


def module_zip(path, files, size):
    """A module archive without a prefix: `files` entries of random bytes, `size` bytes together."""
    random.seed(7)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("go.mod", "module example.com/bench/m\n\ngo 1.21\n")
        archive.writestr("LICENSE", "Public domain.\n")
        for number in range(files):
            archive.writestr(f"data{number}.bin", random.randbytes(size // files))


def ratio_rows(name, sides, measure, rounds):
    """Measures the sides in turn and prints each against the first one's medians."""
    figures = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            figures[side].append(measure(side))
    ours = statistics.median(figures["keeper"])
    row = {"what": name, "keeper": ours}
    for side in sides:
        if side != "keeper":
            pairs = [a / b for a, b in zip(figures["keeper"], figures[side], strict=True)]
            row[side] = statistics.median(figures[side])
            row[f"keeper/{side}"] = round(statistics.median(pairs), 3)
    print("  ", json.dumps(row), flush=True)
    return row


def small(folder, options):
    keeper = Keeper(BINARY, folder)
    archive = folder / "small.zip"
    module_zip(archive, 1, 4096)
    for number in range(100):
        keeper.publish(archive, "example.com/bench/m", f"v1.{number}.0")
    base = "/go/local/example.com/bench/m"
    paths = [f"{base}/@v/v1.50.0.info", f"{base}/@v/v1.50.0.mod", f"{base}/@v/list", f"{base}/@latest"]
    root = folder / "root"
    for path in paths:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(subprocess.run(["curl", "-sSf", keeper.url + path], capture_output=True, check=True).stdout)
    sides = {"keeper": keeper, "nginx": Nginx(folder, root, False), "nginx tuned": Nginx(folder, root, True)}
    os.chmod(folder, 0o755)
    rows = [ratio_rows(f"small {path.removeprefix(base)} requests/s", sides,
                       lambda side, path=path: wrk(sides[side].url + path, 64, options.seconds)[0], options.rounds)
            for path in paths]
    for side in sides.values():
        side.stop()
    return rows


def zips(folder, options):
    keeper = Keeper(BINARY, folder)
    root = folder / "root"
    sizes = {"100 KiB": 100 << 10, "1 MiB": 1 << 20, "10 MiB": 10 << 20, "100 MiB": 100 << 20}
    paths = {}
    for minor, (label, size) in enumerate(sizes.items()):
        archive = folder / "module.zip"
        module_zip(archive, 4, size)
        published = keeper.publish(archive, "example.com/bench/m", f"v1.{minor}.0")
        path = f"/go/local/example.com/bench/m/@v/{published['version']}.zip"
        paths[label] = path
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["curl", "-sSf", "-o", str(target), keeper.url + path], check=True)
    os.chmod(folder, 0o755)
    sides = {"keeper": keeper, "nginx": Nginx(folder, root, False)}
    rows = []
    for label, path in paths.items():
        for connections in (1, 32):
            cpu = {side: [] for side in sides}

            def measure(side, path=path, connections=connections, cpu=cpu):
                before = cpu_seconds(sides[side].pids)
                _, rate = wrk(sides[side].url + path, connections, options.seconds)
                spent = cpu_seconds(sides[side].pids) - before
                cpu[side].append(spent / max(rate * options.seconds, 1))
                return rate

            row = ratio_rows(f"zip {label}, {connections} connections, bytes/s", sides, measure, options.rounds)
            row["cpu per byte keeper/nginx"] = round(statistics.median(cpu["keeper"]) / max(statistics.median(cpu["nginx"]), 1e-15), 3)
            print("     cpu per byte keeper/nginx", row["cpu per byte keeper/nginx"])
            rows.append(row)
    for side in sides.values():
        side.stop()
    return rows


PUBLISH_SCRIPT = """
local file = io.open("{archive}", "rb"); local bytes = file:read("*a"); file:close()
local thread_number = 0
function setup(thread) thread:set("id", thread_number); thread_number = thread_number + 1 end
local count = 0
function request()
  count = count + 1
  local b = "bench-boundary-7f3a"
  local field = function(name, value) return "--" .. b .. "\\r\\nContent-Disposition: form-data; name=\\"" .. name .. "\\"\\r\\n\\r\\n" .. value .. "\\r\\n" end
  local body = field("format", "go") .. field("name", "example.com/bench/m") .. field("version", "v1." .. ({round} * 10 + id) .. "." .. count)
    .. "--" .. b .. "\\r\\nContent-Disposition: form-data; name=\\"file\\"; filename=\\"m.zip\\"\\r\\n\\r\\n" .. bytes .. "\\r\\n--" .. b .. "--\\r\\n"
  return wrk.format("POST", "/api/artifacts", {{["Content-Type"] = "multipart/form-data; boundary=" .. b, ["Authorization"] = "Bearer {token}"}}, body)
end
"""


def fsync_loop(folder, seconds):
    """The disk's own limit: write + fsync + rename + fsync(folder), one after the other, per second."""
    target = folder / "fsync"
    target.mkdir(exist_ok=True)
    data, count, ends = os.urandom(10 << 10), 0, time.monotonic() + seconds
    handle = os.open(target, os.O_RDONLY)
    while time.monotonic() < ends:
        with open(target / "new", "wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        os.rename(target / "new", target / f"{count % 1000}")
        os.fsync(handle)
        count += 1
    os.close(handle)
    return count / seconds


def publish_small(folder, options):
    keeper = Keeper(BINARY, folder)
    archive = folder / "small.zip"
    module_zip(archive, 2, 10 << 10)
    rows, rates, number = [], {}, 0
    for clients in (1, 8, 32):
        ours, disk = [], []
        for _ in range(options.rounds):
            number += 1
            script = folder / "publish.lua"
            script.write_text(PUBLISH_SCRIPT.format(archive=archive, token=TOKEN, round=number))
            disk.append(fsync_loop(folder, options.seconds))
            ours.append(wrk(keeper.url + "/", clients, options.seconds, script)[0])
        rates[clients] = statistics.median(ours)
        row = {"what": f"publish-small, {clients} clients, publications/s", "keeper": rates[clients],
               "write+fsync+rename+fsync loop": statistics.median(disk),
               "keeper/loop": round(statistics.median([a / b for a, b in zip(ours, disk, strict=True)]), 3),
               "to 1 client": round(rates[clients] / rates[1], 2)}
        print("  ", json.dumps(row), flush=True)
        rows.append(row)
    keeper.stop()
    return rows


def publish_large(folder, options):
    archive = folder / "large.zip"
    module_zip(archive, 40, 400 << 20)
    keeper = Keeper(BINARY, folder)
    time.sleep(1)
    idle = proc_status(keeper.process.pid, "VmRSS")
    ours, reference = [], []
    for number in range(min(options.rounds, 5)):
        began = time.monotonic()
        subprocess.run(["sha256sum", str(archive)], check=True, stdout=subprocess.DEVNULL)
        reference.append(time.monotonic() - began)
        began = time.monotonic()
        keeper.publish(archive, "example.com/bench/m", f"v1.{number}.0")
        ours.append(time.monotonic() - began)
    row = {"what": "publish-large, 400 MiB, seconds", "keeper": statistics.median(ours), "sha256sum": statistics.median(reference),
           "keeper/sha256sum": round(statistics.median([a / b for a, b in zip(ours, reference, strict=True)]), 2),
           "peak memory above idle, MiB": round((proc_status(keeper.process.pid, "VmHWM") - idle) / 2**20, 1)}
    print("  ", json.dumps(row), flush=True)
    keeper.stop()
    return [row]


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
    upstream, keeper = Nginx(folder, proxy.root, False), Keeper(BINARY, folder)
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
        print("  ", json.dumps(row), flush=True)
        rows.append(row)
    for side in (keeper, upstream):
        side.stop()
    return rows


def stampede(folder, options):
    proxy = Goproxy(folder / "root")
    for number in range(options.rounds):
        proxy.add("example.com/bench/m", f"v1.{number}.0", size=1 << 20)
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root, False, access_log=True), Keeper(BINARY, folder)
    keeper.remote("copies", upstream.url)
    rates = [wrk(f"{keeper.url}/go/copies/example.com/bench/m/@v/v1.{number}.0.zip", 200, options.seconds)[0]
             for number in range(options.rounds)]
    for side in (keeper, upstream):
        side.stop()
    asked = upstream.requests()
    row = {"what": "stampede, 200 clients for one absent zip", "zips": options.rounds, "upstream requests": len(asked),
           "most for one zip": max(asked.count(path) for path in asked), "requests/s": statistics.median(rates)}
    print("  ", json.dumps(row), flush=True)
    return [row]


def go(folder, options):
    proxy = Goproxy(folder / "root")
    project = folder / "project"
    proxy.graph(project, modules=120)
    os.chmod(folder, 0o755)
    upstream, keeper = Nginx(folder, proxy.root, False), Keeper(BINARY, folder)
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
    row = ratio_rows("go mod download all, 120 modules, seconds", addresses, lambda side: download(addresses[side]), options.rounds)
    row["the first time, from the upstream"] = round(cold, 3)
    print("     the first time, from the upstream", row["the first time, from the upstream"])
    for side in (keeper, upstream):
        side.stop()
    return [row]


def start(folder, options):
    seconds, idle = [], 0
    for number in range(options.rounds):
        place = folder / str(number)
        place.mkdir()
        keeper = Keeper(BINARY, place)
        seconds.append(keeper.start_seconds)
        time.sleep(1)
        idle = proc_status(keeper.process.pid, "VmRSS")
        keeper.stop()
    row = {"what": "start to first 200, empty store, seconds", "keeper": round(statistics.median(seconds), 3),
           "idle memory, MiB": round(idle / 2**20, 1), "binary, MiB": round(BINARY.stat().st_size / 2**20, 1)}
    print("  ", json.dumps(row), flush=True)
    return [row]
=======
import growth
import reads
import writes

HERE = pathlib.Path(__file__).resolve().parent
RUNS = {
    "start": growth.start,
    "small": reads.small,
    "auth": reads.auth,
    "conditional": reads.conditional,
    "zip": reads.zips,
    "tls": reads.tls,
    "publish-small": writes.publish_small,
    "publish-large": writes.publish_large,
    "publish-many": writes.publish_many,
    "scale": growth.scale,
}
>>>>>>> wt-five


def machine():
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return {"cores": os.cpu_count(), "cpu": cpu, "kernel": platform.release(),
            "nginx": said(["/usr/sbin/nginx", "-v"]), "wrk": said(["wrk", "-v"])}


def said(command):
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stderr or answer.stdout).splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma separated: " + ", ".join(RUNS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one round of load")
    parser.add_argument("--versions", type=lambda text: [int(one) for one in text.split(",")], default=[10_000, 100_000],
                        help="sizes of the store that `scale` asks at")
    parser.add_argument("--binary", type=pathlib.Path, default=HERE.parent.parent / "target" / "release" / "artifact-keeper")
    options = parser.parse_args()
<<<<<<< HEAD
    wanted = [name for name in options.only.split(",") if name] or ALL
    runs = {"start": start, "small": small, "zip": zips, "publish-small": publish_small, "publish-large": publish_large,
            "miss": miss, "stampede": stampede, "go": go}
=======
    wanted = [name for name in options.only.split(",") if name] or list(RUNS)
    if unknown := set(wanted) - set(RUNS):
        parser.error(f"not known: {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
>>>>>>> wt-five
    results = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "machine": machine(), "rows": []}
    print(json.dumps(results["machine"]))
    for name in wanted:
        print(name, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"keeper-bench-{name}-") as folder:
            results["rows"] += RUNS[name](pathlib.Path(folder), options)
    target = HERE / "results"
    target.mkdir(exist_ok=True)
    path = target / (results["date"].replace(":", "") + ".json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print("written:", path.relative_to(HERE.parent.parent))


if __name__ == "__main__":
    main()
