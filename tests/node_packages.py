"""Packages of node that tests run unchanged, installed once under var/ from the registry that npm is set to.

Where node is missing, those tests are not collected; where the registry cannot be reached, they are skipped. Both is
told.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.imports import ROOT

NODE_IS_MISSING = shutil.which("node") is None or shutil.which("npm") is None
_LONGEST = 600  # seconds, for a command on a loaded machine


def install_packages(packages: Mapping[str, str], *, name: str) -> Path:
    """Return the folder below var/ in whose node_modules these packages are, in these versions, by their names."""
    folder = ROOT / "var" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _read_versions(folder, packages) != packages:
            (folder / "package.json").write_text('{"private": true}\n')
            named = [f"{package}@{version}" for package, version in packages.items()]
            done = _run_npm("install", "--no-audit", "--no-fund", "--ignore-scripts", *named, folder=folder)
            if done.returncode != 0 and _run_npm("ping", folder=folder).returncode != 0:
                pytest.skip("npm's registry cannot be reached")
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _read_versions(folder: Path, packages: Mapping[str, str]) -> dict[str, str]:
    manifests = {name: folder / "node_modules" / name / "package.json" for name in packages}
    return {name: json.loads(each.read_text())["version"] for name, each in manifests.items() if each.is_file()}


def _run_npm(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=_LONGEST
    )
