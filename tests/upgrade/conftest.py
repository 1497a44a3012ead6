"""Without the history of the repository there is no code of the last release to run."""

from __future__ import annotations

import subprocess

from tests.imports import ROOT
from tests.upgrade.release import read_release


def has_last_release() -> bool:
    """Whether the history here, which may be cut off, has the commit of the last release."""
    asked = f"{read_release().commit}^{{commit}}"
    found = subprocess.run(["git", "cat-file", "-e", asked], cwd=ROOT, capture_output=True, check=False)
    return found.returncode == 0


HISTORY_IS_MISSING = not has_last_release()
collect_ignore = ["test_last_release_code.py"] if HISTORY_IS_MISSING else []


def pytest_report_collectionfinish() -> list[str]:
    """Report the test that is not collected."""
    missing = "The code of the last release is not tried: the history here lacks it (git fetch --unshallow)"
    return [missing] if HISTORY_IS_MISSING else []
