"""What all measurements share: load by wrk, archives to publish, and figures of several sides taken in turn."""

import json
import random
import re
import statistics
import subprocess
import zipfile

from servers import cpu_seconds

UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def wrk(url, connections, seconds, script=None, headers=(), threads=2):
    """Requests and bytes per second of one run."""
    command = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(script)] if script else []
    for header in headers:
        command += ["-H", header]
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx|Socket errors", text):
        raise SystemExit(f"{url}: not all answers were good:\n{text}")
    requests = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)(\w+)", text).groups()
    return requests, float(amount) * UNITS[unit]


class Figure:
    """What one side did in one run: its rate per second, and what each unit of it cost of the processor."""

    def __init__(self, side, run, seconds):
        before = cpu_seconds(side.pids)
        self.rate = run(side)
        self.cpu = (cpu_seconds(side.pids) - before) / max(self.rate * seconds, 1e-9)


def compare(name, sides, run, options):
    """Runs all sides in turn, round by round. The first one is ours; the ratios are medians of the rounds'.

    Beside the rates stands the processor time for each unit, which a machine that has other work to do changes
    far less than the rates.
    """
    figures = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            figures[side].append(Figure(sides[side], run, options.seconds))
    ours = next(iter(sides))
    row = {"what": name}
    for side, runs in figures.items():
        row[side] = round(statistics.median(run.rate for run in runs), 1)
        row[f"{side}, cpu each"] = float(f"{statistics.median(run.cpu for run in runs):.3g}")
        if side != ours:
            pairs = list(zip(figures[ours], runs, strict=True))
            row[f"{ours}/{side}"] = round(statistics.median(a.rate / b.rate for a, b in pairs), 3)
            row[f"cpu {ours}/{side}"] = round(statistics.median(a.cpu / max(b.cpu, 1e-15) for a, b in pairs), 2)
    return show(row)


def show(row):
    """A row as it is made."""
    print("  ", json.dumps(row), flush=True)
    return row


def module_zip(path, files, size, folders=1):
    """A module archive without a prefix: so many files of noise, `size` bytes together."""
    random.seed(7)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("go.mod", "module example.com/bench/m\n\ngo 1.21\n")
        archive.writestr("LICENSE", "Public domain.\n")
        for number in range(files):
            folder = f"d{number % folders}/" if folders > 1 else ""
            archive.writestr(f"{folder}data{number}.bin", random.randbytes(size // files))
