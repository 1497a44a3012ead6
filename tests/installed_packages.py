"""Folders of some of the packages that are installed here, for processes that can import nothing else (`python -S`)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


def link_package(name: str, *, folder: Path) -> None:
    """Link what a package has installed here into the folder."""
    installed = distribution(name)
    for part in {path.parts[0] for path in installed.files or []} - {"..", "__pycache__"}:
        link = folder / part
        if not link.exists():
            link.symlink_to(Path(str(installed.locate_file(part))))


def link_with_needs(requirements: Iterable[str], *, extra: str = "", folder: Path) -> None:
    """Link the packages that are required, with the extra or without, and those that they need in turn.

    Raises PackageNotFoundError when one is not installed here.
    """
    linked: set[str] = set()
    waiting = [(text, extra) for text in requirements]
    while waiting:
        text, of_extra = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        if requirement.name not in linked:
            linked.add(requirement.name)
            link_package(requirement.name, folder=folder)
            waiting += [(each, "") for each in distribution(requirement.name).requires or []]
