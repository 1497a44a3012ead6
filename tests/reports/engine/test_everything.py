"""Every object and every source of reports: all columns, every group, every figure, and no secret among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
from django.db.models import Model

from connections.models import CrmConnectionIdentifierMapping
from crm_sync.choices import RecordWord
from crm_sync.models import Difference
from ctms.accounts.models import User
from ctms.clinical.models import Study
from ctms.configuration.permissions import list_areas
from ctms.configuration.registry import list_objects
from ctms.core.fields import EncryptedTextField
from ctms.records.fields.kinds.base import kind_of
from ctms.reports.choices import Period
from ctms.reports.definition import TypeDefinition
from ctms.reports.engine.columns import Column, can_group, get_output, list_columns
from ctms.reports.engine.measures import list_functions
from ctms.reports.engine.opening import MOST_COLUMNS, MOST_GROUPS, MOST_MEASURES, MOST_SORTED, OpenReport
from ctms.reports.engine.parts import open_part
from ctms.reports.engine.rows import count_rows, iterate_rows, read_rows
from ctms.reports.engine.summaries import read_summary
from ctms.reports.sources import list_source_names, load_report_configuration, open_source
from tests import admin_rows, record_rows
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.factories.connections import IdentifierMappingFactory
from tests.reports.engine.test_engine import ask

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.system]

Item = TypeVar("Item")
NAMES = [name for name, _ in list_source_names()]
SECRET_WORDS = ("password_", "secret", "token", "digest", "consumer_key", "recovery", "salt", "session_key")


def create_admin(study: Study) -> User:
    del study
    return get_admin_user()


def create_reader(study: Study) -> User:
    """A user of one study, who may read every object and every source."""
    permissions = [f"{each.api_name}:read" for each in list_objects()]
    permissions += ["connection__sys:edit", *(area.permission for area in list_areas())]
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    StudyAssignmentFactory.create(user=user, study=study)
    return user


EACH = pytest.mark.parametrize(
    ("name", "create_user"),
    [*((name, create_admin) for name in NAMES), *((name, create_reader) for name in record_rows.BUILDERS)],
)


def list_all(user: User, name: str) -> list[Column]:
    access = open_source(user=user, object_name=name, configuration=load_report_configuration())
    return list_columns(open_part(access=access))


def create_rows(user: User, name: str, study: Study) -> None:
    """Two rows, of which one is in the study if the rows belong to studies."""
    access = open_source(user=user, object_name=name, configuration=load_report_configuration())
    for each in (study, None):
        create_row(name, access.vault_object.model, each)


def create_row(name: str, model: type[Model], study: Study | None) -> Any:
    if name in record_rows.BUILDERS:
        return record_rows.BUILDERS[name](study)
    if model is Difference:
        reconciliation = admin_rows.BUILDERS["crm_sync.Reconciliation"]()
        integration = reconciliation.connection.integrations.all()[0]
        return Difference.objects.create(
            reconciliation=reconciliation, integration=integration, name="A call", word=RecordWord.DIFFERS
        )
    if model is CrmConnectionIdentifierMapping:
        return IdentifierMappingFactory.create()
    return admin_rows.create_row(model)


def ask_about(user: User, name: str, **stored: Any) -> OpenReport:
    return ask(user, TypeDefinition(primary=name), **stored)


def walk(opened: OpenReport, *, size: int) -> Iterator[list[str]]:
    place = ""
    while True:
        page = read_rows(opened, size=size, place=place)
        yield from ([cell.text for cell in row] for row in page.rows)
        place = page.next
        if not place:
            return


@EACH
def test_all_columns_are_read_and_sorted_page_by_page(name: str, create_user: Callable[[Study], User]) -> None:
    study = StudyFactory.create()
    user = create_user(study)
    create_rows(user, name, study)
    for columns in cut(list_all(user, name), MOST_COLUMNS):
        keys = [each.key for each in columns]
        sort = [
            f"-{each.key}" if number % 2 else each.key
            for number, each in enumerate(columns)
            if can_sort(each) and not each.subject.steps
        ]
        for some in cut(sort, MOST_SORTED) or [[]]:
            opened = ask_about(user, name, columns=keys, sort=list(some))
            everything = [[cell.text for cell in row] for row in iterate_rows(opened)]
            assert len(everything) == count_rows(opened) >= (2 if user.is_superuser else 0)
            assert list(walk(opened, size=max(1, len(everything) - 1))) == everything


@EACH
def test_each_group_and_each_figure_counts_all_rows(name: str, create_user: Callable[[Study], User]) -> None:
    study = StudyFactory.create()
    user = create_user(study)
    create_rows(user, name, study)
    columns = list_all(user, name)
    groups = [
        {"column": each.key, "period": Period.MONTH if kind_of(each.field).is_day else ""}
        for each in columns
        if can_group(each.field)
    ]
    measures = [
        {"function": str(function), "column": each.key} for each in columns for function in list_functions(each)
    ]
    total = count_rows(ask_about(user, name, columns=[columns[0].key]))
    figures = list(cut(measures, MOST_MEASURES - 1)) or [()]
    for number, some in enumerate(cut(groups, MOST_GROUPS)):
        opened = ask_about(
            user, name, groups=list(some), measures=[{"function": "count"}, *figures[number % len(figures)]]
        )
        page = read_summary(opened, size=200)
        assert page.total.figures[0].value == total
        counts: list[Any] = [line.figures[0].value for line in page.lines if line.level == len(some)]
        assert sum(counts) == total
        assert not page.next
        some_lines = [line for line in page.lines if line.level == len(some)][:3]
        assert [count_rows(opened, at=line.at) for line in some_lines] == [line.figures[0].value for line in some_lines]
    for rest in figures[-(-len(groups) // MOST_GROUPS) :]:
        read_summary(ask_about(user, name, groups=groups[:1], measures=list(rest)), size=2)


@pytest.mark.parametrize("name", NAMES)
def test_no_column_is_a_secret(name: str) -> None:
    for column in list_all(get_admin_user(), name):
        found = get_output(model=column.subject.shape.vault_object.model, path=column.field.attribute)
        assert not isinstance(found, EncryptedTextField), column.key
        words = column.field.attribute.rpartition("__")[2]
        assert words == "must_change_password" or not any(each in f"{words}_" for each in SECRET_WORDS), column.key


def cut(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[begin : begin + size] for begin in range(0, len(items), size)]


def can_sort(column: Column) -> bool:
    if column.field.reference is not None:
        return not column.field.is_custom
    return kind_of(column.field).is_sortable
