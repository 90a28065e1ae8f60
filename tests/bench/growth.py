"""What changes with the number of versions: start, idle memory, reads, publications, lists and searches."""

import statistics
import time

from load import module_zip, show, wrk
from servers import Keeper, proc_status
from writes import Publishers

FILLERS = 32


def start(folder, options):
    seconds, idle = [], 0
    for number in range(options.rounds):
        place = folder / str(number)
        place.mkdir()
        keeper = Keeper(options.binary, place)
        seconds.append(keeper.start_seconds)
        time.sleep(1)
        idle = proc_status(keeper.process.pid, "VmRSS")
        keeper.stop()
    return [show({"what": "start to first 200, empty store, seconds", "keeper": round(statistics.median(seconds), 3),
                  "idle memory, MiB": round(idle / 2**20, 1),
                  "binary, MiB": round(options.binary.stat().st_size / 2**20, 1)})]


def scale(folder, options):
    """One store that grows; each question is asked at each size."""
    archive = folder / "small.zip"
    module_zip(archive, 1, 1 << 10)
    keeper = Keeper(options.binary, folder)
    publishers = Publishers(keeper, folder, archive, packages=500)
    rows, first = [], None
    for versions in options.versions:
        while (held := count(keeper)) < versions:
            rate = publishers.run(FILLERS, 5)[0]
            print(f"   filling: {held} of {versions} versions, {rate:.0f}/s", flush=True)
        figures = ask_all(keeper, publishers, options)
        first = first or figures
        keeper.stop()
        keeper.start()
        time.sleep(2)
        rows.append(show({
            "what": f"scale, {count(keeper)} versions", **{name: round(value, 6) for name, value in figures.items()},
            **{f"{name}, to the first": round(value / first[name], 2) for name, value in figures.items()},
            "start, seconds": round(keeper.start_seconds, 3),
            "idle memory, MiB": round(proc_status(keeper.process.pid, "VmRSS") / 2**20, 1)}))
    keeper.stop()
    return rows


def count(keeper):
    """Versions in the repository."""
    repository = next(one for one in keeper.get("/api/repositories")["items"] if one["name"] == "local")
    return repository["counts"]["artifacts"]


def ask_all(keeper, publishers, options):
    """Seconds for one answer of each kind, one client after the other."""
    base = "/go/local/example.com/bench/m/p7"
    first_page = keeper.get_as_stranger("/api/artifacts?limit=50")
    asked = {
        "small .info": f"{base}/@v/{keeper.text(f'{base}/@v/list').split()[0]}.info",
        "first page of artifacts": "/api/artifacts?limit=50",
        "next page of artifacts": f"/api/artifacts?limit=50&cursor={first_page['next_cursor']}",
        "last page of packages": f"/api/packages?limit=50&cursor={last_cursor(keeper)}",
        "search": "/api/search?q=bench",
    }
    figures = {name: statistics.median(1 / wrk(keeper.url + path, 1, options.seconds)[0] for _ in range(options.rounds))
               for name, path in asked.items()}
    figures["publication"] = statistics.median(1 / publishers.run(1, options.seconds)[0] for _ in range(options.rounds))
    return figures


def last_cursor(keeper):
    """The cursor of the last page but one, found by walking all of them."""
    cursor, path = "", "/api/packages?limit=50"
    while (page := keeper.get_as_stranger(path)).get("next_cursor"):
        cursor = page["next_cursor"]
        path = f"/api/packages?limit=50&cursor={cursor}"
    return cursor
