"""Schemathesis fuzzes the API and finds no fault.

It calls every operation with valid and invalid requests: there is no server error, every response matches the OpenAPI
document, and no invalid request is accepted.

`FUZZ_EXAMPLES=500 pytest tests/records/api/test_fuzzing.py` tries more cases, other ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ctms.configuration.registry import get_object, get_object_of_model
from tests.kinds import choose_values, list_custom_names
from tests.record_rows import OBJECTS, create_record
from tests.records.api.conftest import Caller, add_custom_field

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
IS_REPEATABLE = "FUZZ_EXAMPLES" not in os.environ
BOUNDS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=IS_REPEATABLE,
    suppress_health_check=list(HealthCheck),
)
# A valid request may still be refused because of stored data: an unknown uid, or a site of another study.
SHAPING = {"fields", "expand", "format"}
EXCLUDED = [positive_data_acceptance]


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """Keep the test's database connection open, which a request would close, so that its transaction is rolled back."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def headers(caller: Caller) -> dict[str, str]:
    # The client of schemathesis asks for gzip, and does not unpack it.
    return {"Authorization": caller.authorization, "Accept-Encoding": "identity"}


@pytest.fixture
def api(headers: dict[str, str], _one_connection: None) -> Any:
    """The OpenAPI document loaded by schemathesis, with custom fields of every kind."""
    for kind in list_custom_names():
        add_custom_field(kind=kind, picklist_values=choose_values(kind, "red", "green"))
    json = {"Accept": "application/vnd.oai.openapi+json"}
    return schemathesis.openapi.from_wsgi("/api/v1/schema/", app=get_wsgi_application(), headers=headers | json)


@pytest.mark.system
@pytest.mark.parametrize("object_name", OBJECTS)
def test_nothing_that_is_sent_is_answered_otherwise_than_described(
    api: Any, headers: dict[str, str], object_name: str
) -> None:
    record = create_record(object_name)
    references = list_references(object_name)
    there: dict[str, Any] = {"path_parameters": {"uid": str(record.uid)}}
    for ending in ("", "changes/", "by-key/", "{uid}/"):
        path = f"/api/v1/{object_name}/{ending}"
        for method, operation in api[path].items():
            for mode in GenerationMode:
                check(operation.as_strategy(generation_mode=mode), headers)
            if method == "post":
                check(operation.as_strategy().map(partial(refer, references=references)), headers)
            elif method == "patch":
                known = operation.as_strategy(headers={"If-Match": "*"}, **there)
                check(known.map(partial(refer, references=references)), headers)


def check(strategy: Any, headers: dict[str, str]) -> None:
    """Call the operation with a number of cases."""

    @BOUNDS
    @given(case=strategy)
    def call(case: Any) -> None:
        # What they change about an answer, which the document says in words, is tested in test_showing.py.
        case.query = {name: value for name, value in (case.query or {}).items() if name not in SHAPING}
        case.call_and_validate(headers=headers, excluded_checks=EXCLUDED)

    call()


def list_references(object_name: str) -> dict[str, str]:
    """Return for each reference, by API name, the uid of a record that it may refer to."""
    vault_object = get_object(object_name)
    fields = [vault_object.get_field(name) for name in vault_object.fields]
    targets = {each.api_name: get_object_of_model(each.reference) for each in fields if each.reference}
    return {name: str(create_record(target).uid) for name, target in targets.items() if target and not target.is_setup}


def refer(case: Any, *, references: dict[str, str]) -> Any:
    """Set the references of the case to records that exist."""
    if isinstance(case.body, dict):
        case.body = case.body | {name: uid for name, uid in references.items() if case.body.get(name)}
    return case
