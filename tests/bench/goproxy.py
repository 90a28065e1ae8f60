"""Modules as files, in the layout that `file://` proxies and web servers can serve: <module>/@v/<version>.zip."""

import json
import pathlib
import random
import zipfile

MADE = "2024-03-04T03:06:07Z"


class Goproxy:
    """A folder of modules, always the same."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.random = random.Random(7)

    def add(self, path, version, size, requires=()):
        """Adds a version of `size` bytes that nothing makes smaller."""
        place = self.root / path / "@v"
        place.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"require {module} {number}\n" for module, number in requires)
        go_mod = f"module {path}\n\ngo 1.21\n\n{lines}"
        (place / f"{version}.mod").write_text(go_mod)
        (place / f"{version}.info").write_text(json.dumps({"Version": version, "Time": MADE}))
        with open(place / "list", "a", encoding="ascii") as versions:
            versions.write(version + "\n")
        with zipfile.ZipFile(place / f"{version}.zip", "w", zipfile.ZIP_STORED) as archive:
            below = f"{path}@{version}"
            archive.writestr(f"{below}/go.mod", go_mod)
            archive.writestr(f"{below}/m.go", "package m\n")
            archive.writestr(f"{below}/data.bin", self.random.randbytes(size))

    def graph(self, project, modules):
        """Adds so many modules, each of which needs some of those before it, and a project that needs them all. Sizes
        are as those of real ones: most are small, a few are not."""
        known = []
        for number in range(modules):
            name = (f"example.com/graph/m{number:03}", f"v1.{number % 7}.{number % 3}")
            size = 1 << self.random.choice([13, 14, 15, 16, 17, 18, 20])
            self.add(*name, size=size, requires=self.random.sample(known, min(len(known), 4)))
            known.append(name)
        project.mkdir()
        lines = "".join(f"require {module} {number}\n" for module, number in known)
        (project / "go.mod").write_text(f"module example.com/project\n\ngo 1.21\n\n{lines}")
