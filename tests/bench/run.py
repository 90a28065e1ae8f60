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
import subprocess
import tempfile

import copies
import crowd
import growth
import reads
import ui
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
    "miss": copies.miss,
    "stampede": copies.stampede,
    "go": copies.go,
    "crowd": crowd.crowd,
    "ui": ui.ui,
}


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
    wanted = [name for name in options.only.split(",") if name] or list(RUNS)
    if unknown := set(wanted) - set(RUNS):
        parser.error(f"not known: {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
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
