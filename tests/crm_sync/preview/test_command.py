"""`manage.py transfer --dry-run`: counts, a line for each record, and a file of all fields."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from activities.models import Activity
from ctms.audit.services import save_record
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def edited(world: World) -> Activity:
    """An activity that was transferred as `Before` and edited since then."""
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="Before")
    world.transfer()
    activity.refresh_from_db()
    activity.subject = "=Then()"
    save_record(record=activity, actor=build_admin_actor())
    return activity


def test_records_are_listed_with_their_fields_before_the_counts(world: World, edited: Activity) -> None:
    (row,) = world.list_interactions()
    printed = io.StringIO()
    call_command("transfer", "--dry-run", "--records", stdout=printed)
    lines = printed.getvalue().splitlines()
    assert lines[0] == f"Update: {edited} [{row['Id']}] Subject_vod__c: Before → =Then()"
    assert "NA (dry run: nothing was written)" in lines[1]
    assert [line for line in lines if line.lstrip().startswith("Updated")]


def test_without_records_only_counts_are_printed(world: World, edited: Activity) -> None:
    printed = io.StringIO()
    call_command("transfer", "--dry-run", stdout=printed)
    assert "Before" not in printed.getvalue()


def test_the_file_has_a_line_for_each_field_of_every_connection(
    world: World, second_world: World, edited: Activity, tmp_path: Path
) -> None:
    StudyFactory.create(study_name="Named")
    path = tmp_path / "preview.csv"
    call_command("transfer", "--dry-run", "--csv", str(path), stdout=io.StringIO())
    with path.open(encoding="utf-8-sig", newline="") as file:
        heading, *lines = csv.reader(file)
    assert heading[:4] == ["Connection", "Integration", "Record", "Outcome"]
    assert {line[0] for line in lines} == {"NA", "EMEA"}
    assert ["Subject_vod__c", "Before", "'=Then()"] in [line[7:] for line in lines]
    assert "fail" not in {line[3] for line in lines}
    assert {(line[0], line[3]) for line in lines} == {
        ("NA", "Update"),
        ("NA", "Create"),
        ("EMEA", "Create"),
        ("EMEA", "Fail"),
    }


def test_options_of_the_dry_run_are_refused_without_it(world: World) -> None:
    with pytest.raises(CommandError, match=r"--records and --csv tell what would be done: add --dry-run"):
        call_command("transfer", "--records", stdout=io.StringIO())
    assert world.crm.request_log.count() == 0


def test_a_file_that_cannot_be_written_is_named_before_anything_is_asked(world: World, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "preview.csv"
    with pytest.raises(CommandError, match=r"--csv: .*preview\.csv cannot be written: No such file or directory\."):
        call_command("transfer", "--dry-run", "--csv", str(path), stdout=io.StringIO())
    assert world.crm.request_log.count() == 0
