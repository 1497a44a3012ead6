"""The demonstration's data, whole or with few activities, in a directory of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

FEW_ACTIVITIES = 400


@contextmanager
def use_demo_directory(directory: Path) -> Iterator[None]:
    """Settings under which the demonstration keeps its files in `directory`."""
    origins = {"na.crm.test": "http://127.0.0.1:9", "emea.crm.test": "http://127.0.0.1:9"}
    with override_settings(VAR_DIR=directory, CRM_SANDBOX_ORIGINS=origins):
        yield


@pytest.fixture
def small_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Path]:
    """An empty Vault, whose demonstration data will have 400 activities; the directory of its files."""
    monkeypatch.setattr("crm_sync.demo.dataset.logbook.ACTIVITY_COUNT", FEW_ACTIVITIES)
    with use_demo_directory(tmp_path):
        yield tmp_path


@pytest.fixture
def fast_retries(settings: Any) -> None:
    """A transfer that waits for nothing."""
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
