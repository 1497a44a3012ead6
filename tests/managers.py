"""Finds code that reads records past the rule who sees them: `make lint` runs it.

A model's `objects`, `_default_manager` and `_base_manager` give the records of every study. They are for services,
selectors, jobs and policies. Anything else hands them to `policies.list_visible` at once, or has its reason in
`[tool.vault.unscoped-managers]` of pyproject.toml. Managers of models that nobody limits, such as those of the set-up,
are free.
"""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from django.db import models

from ctms.accounts.policies import has_limit
from ctms.configuration.registry import NoStudy, get_object_of_model

ROOT = Path(__file__).resolve().parent.parent
APPS = ("activities", "connections", "crm_sync", "ctms", "exceptions_log")
MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_REMEDY = (
    "reads the records of every study. Go through policies.list_visible, move it to services or selectors, or give the "
    "reason in [tool.vault.unscoped-managers] of pyproject.toml."
)
# Modules, or folders of modules, that may read everything.
FREE = frozenset({"services", "selectors", "jobs", "policies", "access"})
# Not part of the Vault, or run once.
LEFT_OUT = frozenset({"migrations", "sandbox", "demo"})


def read_reasons() -> dict[str, str]:
    """Return why a file may use such managers nevertheless, by a pattern of its path."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    reasons: dict[str, str] = settings["tool"]["vault"]["unscoped-managers"]
    return reasons


def list_modules() -> list[Path]:
    """Return the modules of the Vault that must not read past the rule, relative to the root."""
    found = (path.relative_to(ROOT) for app in APPS for path in (ROOT / app).rglob("*.py"))
    return sorted(path for path in found if not ({*path.parts[:-1], path.stem} & (FREE | LEFT_OUT)))


def list_uses(*, source: str, names: Any) -> Iterator[tuple[int, str]]:
    """Return line and text of each manager in a module's source whose model is limited, or cannot be told.

    `names` has the module's names as attributes.
    """
    tree = ast.parse(source)
    harmless = {id(each) for node in ast.walk(tree) for each in _list_harmless(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in MANAGERS and id(node) not in harmless:
            owner = getattr(names, node.value.id, None) if isinstance(node.value, ast.Name) else None
            if not _is_unlimited(owner):
                yield node.lineno, ast.unparse(node)


def _list_harmless(node: ast.AST) -> list[ast.AST]:
    """Return the nodes in the first argument of `list_visible`, and the manager whose `none()` is called."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "list_visible":
        return [each for argument in node.args[:1] for each in ast.walk(argument)]
    return [node.value] if isinstance(node, ast.Attribute) and node.attr == "none" else []


def _is_unlimited(owner: Any) -> bool:
    if not (isinstance(owner, type) and issubclass(owner, models.Model)):
        return False
    vault_object = get_object_of_model(owner)
    is_open = vault_object is not None and isinstance(vault_object.scope, NoStudy) and vault_object.scope.limit is None
    return is_open or not has_limit(owner)


def list_problems() -> list[str]:
    """Return each use without a reason, and each reason without a use."""
    reasons, used, problems = read_reasons(), set[str](), []
    for path in list_modules():
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        source = (ROOT / path).read_text(encoding="utf-8")
        if not any(manager in source for manager in MANAGERS):
            continue
        for line, text in list_uses(source=source, names=importlib.import_module(name)):
            pattern = next((each for each in reasons if fnmatch(path.as_posix(), each)), None)
            if pattern is None:
                problems.append(f"{path}:{line}: {text} {_REMEDY}")
            else:
                used.add(pattern)
    problems += [
        f"pyproject.toml: {each!r} of unscoped-managers has no use any more." for each in reasons if each not in used
    ]
    return problems


def main() -> None:
    """Print what is wrong, and exit with 1 if anything is. Django must be set up, as `manage.py shell` does."""
    found = list_problems()
    sys.stderr.writelines(f"{each}\n" for each in found)
    sys.exit(bool(found))
