"""Loading: all or nothing, once, and only into an empty Vault. With few activities, for speed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import time_machine

from connections.models import Connection, ConnectionAuthorization
from crm_sync.demo import data
from crm_sync.demo.data import DemoDataError, get_sandbox_directory, is_demo_data_loaded, load_demo_data
from crm_sync.demo.dataset.crm import ORGANISATIONS, read_integration_login
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Person, Study
from tests.crm_sync.demo.conftest import FEW_ACTIVITIES
from tests.crm_sync.demo.snapshot import take_snapshot
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.system


def test_an_interrupted_load_leaves_no_record_and_the_next_one_writes_the_same_data_silently(
    small_demo: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    interrupted: dict[str, list[Any]] = {}

    def die(**_arguments: Any) -> None:
        interrupted.update(take_snapshot())
        raise KeyboardInterrupt

    entries = AuditEntry.objects.count()
    with time_machine.travel(dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC), tick=False):
        with monkeypatch.context() as patched:
            patched.setattr(data, "activate_transfer", die)
            with pytest.raises(KeyboardInterrupt):
                load_demo_data()
        assert (Study.objects.count(), Person.objects.count(), Connection.objects.count()) == (0, 0, 0)
        assert AuditEntry.objects.count() == entries
        assert not is_demo_data_loaded()

        load_demo_data()

    assert tuple(capfd.readouterr()) == ("", "")
    assert is_demo_data_loaded()
    assert {name: len(rows) for name, rows in interrupted.items()}["Activity"] == FEW_ACTIVITIES
    assert take_snapshot() == interrupted
    for plan in ORGANISATIONS:
        login = read_integration_login(plan=plan, directory=get_sandbox_directory())
        authorization = ConnectionAuthorization.objects.get(connections__name=plan.label)
        assert authorization.username == login.username
        assert authorization.password.reveal() == login.password
        assert authorization.consumer_key.reveal() == login.consumer_key
        assert authorization.consumer_secret.reveal() == login.consumer_secret
    assert sorted(path.name for path in get_sandbox_directory().iterdir()) == ["emea.sqlite3", "na.sqlite3"]


def test_a_vault_with_other_records_is_left_alone(small_demo: Path) -> None:
    StudyFactory.create()
    with pytest.raises(DemoDataError, match="holds records or users already"):
        load_demo_data()
    assert (Study.objects.count(), Person.objects.count()) == (1, 0)
    assert list(small_demo.iterdir()) == []
