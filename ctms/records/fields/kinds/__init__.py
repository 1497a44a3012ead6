"""What each kind of field is, one module a kind. A new module is found by itself; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil


def register_kinds() -> None:
    """Import every module of this room; each registers its kind. Called once, from `AppConfig.ready()`."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
