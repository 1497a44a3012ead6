"""Names the test modules that a change touches: `python -m tests.changed [COMMIT]`, since COMMIT, or since HEAD.

A test module is touched if it changed, if it imports what changed (directly or through other modules), or if its
folder mirrors the folder of what changed (`ctms/records/forms/` → `tests/records/forms/`, or `tests/records/`): a test
that asks for a page imports none of the modules that make it. Settings, migrations, lock files, what every test begins
with and what no folder mirrors touch all tests. Prints the modules, one a line.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

from tests.imports import ROOT, list_imports

TESTS = ROOT / "tests"
TOUCH_ALL = (
    ".ci/",
    "ctms/settings/",
    "ctms/static/",
    "manage.py",
    "pyproject.toml",
    "requirements.txt",
    "tests/conftest.py",
    "tests/databases.py",
    "tests/sample/",
    "tests/servers.py",
)
TOUCH_NONE = (".github/", "docs/", "tests/benchmarks/", "tests/browser/")


def list_changed_files(*, since: str) -> list[str]:
    """Paths of the files that differ from the commit, new ones and those that are gone among them."""
    changed: set[str] = set()
    for command in (["git", "diff", "--name-only", since], ["git", "ls-files", "--others", "--exclude-standard"]):
        changed.update(
            subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        )
    return sorted(changed)


def find_touched_tests(changed: Iterable[str]) -> set[Path]:
    """The test modules that files of these paths, relative to the repository, touch."""
    relevant = [path for path in changed if not path.startswith(TOUCH_NONE)]
    if any(path.startswith(TOUCH_ALL) or "/migrations/" in path for path in relevant):
        return set(TESTS.rglob("test_*.py"))
    touched = _find_importers({ROOT / path for path in relevant})
    for path in relevant:
        touched |= _list_beside(PurePosixPath(path))
    return {path for path in touched if path.name.startswith("test_") and path.is_file()}


def _list_beside(path: PurePosixPath) -> set[Path]:
    """The test modules of the folder that mirrors the folder of the file."""
    if path.parts[0] == "tests" and path.suffix == ".py":
        return set()  # imports say all that there is to say
    rooms = [part for part in path.parent.parts if part not in ("ctms", "templates", "tests")]
    while rooms and not TESTS.joinpath(*rooms).is_dir():
        rooms.pop()
    in_the_root = path.parent == PurePosixPath()
    return set(TESTS.glob("test_*.py") if in_the_root else TESTS.joinpath(*rooms).rglob("test_*.py"))


def _find_importers(changed: set[Path]) -> set[Path]:
    """The files, those that import them, those that import these, and so on."""
    importers = _read_importers()
    found: set[Path] = set()
    waiting = list(changed)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += importers.get(path, ())
    return found


@cache
def _read_importers() -> dict[Path, set[Path]]:
    """Each file → the files that import it; a conftest.py is imported by the tests of its folder."""
    importers: dict[Path, set[Path]] = {}
    for package in ("activities", "connections", "crm_sync", "ctms", "exceptions_log", "tests"):
        for path in (ROOT / package).rglob("*.py"):
            for imported in list_imports(path):
                importers.setdefault(imported, set()).add(path)
    for conftest in TESTS.rglob("conftest.py"):
        importers.setdefault(conftest, set()).update(conftest.parent.rglob("test_*.py"))
    return importers


def main(arguments: Sequence[str]) -> None:
    touched = find_touched_tests(list_changed_files(since=arguments[0] if arguments else "HEAD"))
    for path in sorted(touched):
        print(path.relative_to(ROOT))  # noqa: T201  the answer of a command


if __name__ == "__main__":
    main(sys.argv[1:])
