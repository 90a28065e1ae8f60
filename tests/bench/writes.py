"""Publications: many small ones, a large one, and one of very many files."""

import os
import statistics
import subprocess
import time

from load import module_zip, show, wrk
from servers import TOKEN, Keeper, cpu_seconds, proc_status

SCRIPT = """
local file = io.open("{archive}", "rb"); local bytes = file:read("*a"); file:close()
local thread_number = 0
function setup(thread) thread:set("id", thread_number); thread_number = thread_number + 1 end
local count = 0
local edge = "bench-boundary-7f3a"
local function field(name, value)
  return "--" .. edge .. "\\r\\nContent-Disposition: form-data; name=\\"" .. name .. "\\"\\r\\n\\r\\n" .. value .. "\\r\\n"
end
function request()
  count = count + 1
  local name = "{package}"
  if {packages} > 0 then name = name .. "/p" .. (count % {packages}) end
  local body = field("format", "go") .. field("name", name) .. field("version", "v1." .. ({round} * 10 + id) .. "." .. count)
    .. field("fork", "true")
    .. "--" .. edge .. "\\r\\nContent-Disposition: form-data; name=\\"file\\"; filename=\\"m.zip\\"\\r\\n\\r\\n" .. bytes
    .. "\\r\\n--" .. edge .. "--\\r\\n"
  return wrk.format("POST", "/api/artifacts", {{["Content-Type"] = "multipart/form-data; boundary=" .. edge, ["Authorization"] = "Bearer {token}"}}, body)
end
"""


class Publishers:
    """Clients that publish versions that were never there; each run has numbers of its own."""

    def __init__(self, keeper, folder, archive, packages=0):
        self.keeper, self.folder, self.archive, self.packages, self.runs = keeper, folder, archive, packages, 0

    def run(self, clients, seconds):
        """Publications per second, and processor seconds for each."""
        self.runs += 1
        script = self.folder / "publish.lua"
        script.write_text(SCRIPT.format(archive=self.archive, token=TOKEN, round=self.runs, packages=self.packages,
                                        package="example.com/bench/m"))
        before = cpu_seconds(self.keeper.pids)
        rate = wrk(self.keeper.url + "/", clients, seconds, script)[0]
        return rate, (cpu_seconds(self.keeper.pids) - before) / max(rate * seconds, 1e-9)


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
    keeper = Keeper(options.binary, folder)
    archive = folder / "small.zip"
    module_zip(archive, 2, 10 << 10)
    publishers = Publishers(keeper, folder, archive)
    rows, alone = [], None
    for clients in (1, 8, 32):
        runs = [(fsync_loop(folder, options.seconds), *publishers.run(clients, options.seconds))
                for _ in range(options.rounds)]
        rate = statistics.median(ours for _, ours, _ in runs)
        alone = alone or rate
        rows.append(show({
            "what": f"publish-small, {clients} clients, publications/s", "keeper": round(rate, 1),
            "keeper, cpu each": float(f"{statistics.median(cpu for _, _, cpu in runs):.3g}"),
            "write+fsync+rename+fsync loop": round(statistics.median(disk for disk, _, _ in runs), 1),
            "keeper/loop": round(statistics.median(ours / disk for disk, ours, _ in runs), 3),
            "to 1 client": round(rate / alone, 2)}))
    keeper.stop()
    return rows


def publish_large(folder, options):
    archive = folder / "large.zip"
    module_zip(archive, 40, 400 << 20)
    keeper = Keeper(options.binary, folder)
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
    row = {"what": "publish-large, 400 MiB, seconds", "keeper": round(statistics.median(ours), 2),
           "sha256sum": round(statistics.median(reference), 2),
           "keeper/sha256sum": round(statistics.median(a / b for a, b in zip(ours, reference, strict=True)), 2),
           **memory(keeper, idle)}
    keeper.stop()
    return [show(row)]


def publish_many(folder, options):
    """As many files as an archive may have, a few bytes each."""
    archive = folder / "many.zip"
    module_zip(archive, 199_998, 4 * 199_998, folders=500)
    keeper = Keeper(options.binary, folder)
    time.sleep(1)
    idle, seconds = proc_status(keeper.process.pid, "VmRSS"), []
    for number in range(min(options.rounds, 3)):
        began = time.monotonic()
        keeper.publish(archive, "example.com/bench/m", f"v1.{number}.0")
        seconds.append(time.monotonic() - began)
    row = {"what": "publish-many, 200,000 files, seconds", "keeper": round(statistics.median(seconds), 2),
           **memory(keeper, idle)}
    keeper.stop()
    return [show(row)]


def memory(keeper, idle):
    """The most that was resident since the start, and what is left a moment after the work, above `idle`."""
    time.sleep(2)
    above = {"peak memory above idle, MiB": "VmHWM", "memory left above idle, MiB": "VmRSS"}
    return {name: round((proc_status(keeper.process.pid, key) - idle) / 2**20, 1) for name, key in above.items()}
