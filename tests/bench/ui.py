"""The pages in Chromium, over a repository of 100,000 packages and a package of 10,000 versions.

The rows are those of tests/fixtures/many.sql; what is measured, and how, stands in web-ui/tests/e2e/measure.js.
"""

import json
import os
import pathlib
import sqlite3
import subprocess

from load import module_zip, show
from servers import AUTHORIZATION, TOKEN, Keeper

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES, VERSIONS = 100_000, 10_000
PAGE = 100


def ui(folder, options):
    return packages(folder / "packages", options) + versions(folder / "versions", options)


def packages(folder, options):
    """Visits at both ends of the list, and its filter."""
    keeper = filled(folder, options, PACKAGES, 1)
    middle = cursor(keeper, PACKAGES // PAGE // 2)
    last = cursor(keeper, PACKAGES // PAGE - 1)
    base = "/r/go/local?sort=name"
    rows = measured(keeper, options, {
        "visits": {
            "start page": "/",
            "repository of 100,000 packages, first page": base,
            "repository of 100,000 packages, page 500": f"{base}&cursor={middle}",
            "repository of 100,000 packages, last page": f"{base}&cursor={last}",
            "a package": "/r/go/local/p/example.com/team001/package000001",
        },
        "filters": {"filter over 100,000 packages": {
            "path": base, "label": "Filter modules by name", "text": "package0123", "row": "tbody a.path"}},
    })
    keeper.stop()
    return rows


def versions(folder, options):
    """The list of very many versions at both ends, its filter, and scrolling it."""
    keeper = filled(folder, options, 1, VERSIONS)
    base = "/r/go/local/p/example.com/team000/package000000"
    rows = measured(keeper, options, {
        "visits": {
            "package of 10,000 versions": base,
            "all of 10,000 versions, first page": f"{base}?view=versions",
            "all of 10,000 versions, last page": f"{base}?view=versions&from=end",
        },
        "filters": {"filter over 10,000 versions": {
            "path": f"{base}?view=versions", "label": "Filter versions", "text": "v1.1377", "row": "tbody a.ver"}},
        "scrolls": {"scrolling a page of versions": f"{base}?view=versions"},
    })
    keeper.stop()
    return rows


def filled(folder, options, packages, versions):
    """A server over a store with so many packages of so many versions each."""
    folder.mkdir()
    archive = folder / "small.zip"
    module_zip(archive, 1, 1 << 10)
    keeper = Keeper(options.binary, folder)
    judged = subprocess.run(
        [*keeper.curl, "-H", AUTHORIZATION, "-F", f"file=@{archive}", "-F", "format=go", "-F", "name=example.com/bench/m",
         "-F", "version=v1.0.0", f"{keeper.url}/api/artifacts?dry_run=true"], capture_output=True, text=True, check=True)
    keeper.stop()
    metadata = json.dumps(json.loads(judged.stdout)["metadata"]).replace("'", "''")
    statements = (ROOT / "tests/fixtures/many.sql").read_text()
    for name, value in {"metadata": metadata, "packages": packages, "versions": versions, "share": 0}.items():
        statements = statements.replace(f"@{name}", str(value))
    with sqlite3.connect(keeper.data / "keeper.db") as database:
        database.executescript(statements)
    database.close()
    keeper.start()
    return keeper


def cursor(keeper, pages):
    """Where the page behind so many others begins."""
    query = f"{keeper.url}/api/packages?format=go&repository=local&sort=name&limit={PAGE}"
    found = None
    for _ in range(pages):
        # A cursor is good for whoever got it: like the browser, nobody signs in.
        asked = [*keeper.curl, query + (f"&cursor={found}" if found else "")]
        found = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)["next_cursor"]
    return found


def measured(keeper, options, facts):
    known = {"url": keeper.url, "token": TOKEN, "more": {**facts, "number": options.rounds}}
    command = ["node", str(ROOT / "web-ui/tests/e2e/run.js"), "measure/pages"]
    finished = subprocess.run(command, cwd=ROOT / "web-ui", env={**os.environ, "KEEPER_SCENARIO": json.dumps(known)},
                              stdout=subprocess.PIPE, text=True, check=True)
    return [show(row) for row in json.loads(finished.stdout.splitlines()[-1])]
