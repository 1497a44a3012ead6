"""Which files of the project a file imports, read from its text: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def list_imports(path: Path, *, root: Path = ROOT) -> set[Path]:
    """The project's files that the file imports itself, at its top or inside a function."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {source for name in names for source in _locate(name, root=root)}


def find_sources(paths: Iterable[Path], *, root: Path = ROOT) -> set[Path]:
    """The files, those that they import, those that these import, and so on."""
    found: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += list_imports(path, root=root)
    return found


def _locate(module: str, *, root: Path) -> list[Path]:
    place = root.joinpath(*module.split("."))
    return [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
