"""The pytest plugin: fixtures that serve a CRM organisation to the tests of whoever has installed the sandbox.

def test_a_contact_is_created(crm_sandbox):
    client = MyClient(crm_sandbox.base_url, crm_sandbox.connected_app.client_id, …)
    crm_sandbox.misbehaviour.add_rule(match={"method": "POST", "nth": 2}, effect={"status": 503})
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from crm_sync import sandbox

if TYPE_CHECKING:
    from crm_sync.sandbox import RunningSandbox


@pytest.fixture(scope="session")
def crm_sandbox_schema() -> Sequence[str]:
    """The objects of `crm_sandbox`: names and files, as of the option `--schema`. Override it to have others."""
    return ("standard",)


@pytest.fixture
def crm_sandbox(crm_sandbox_schema: Sequence[str]) -> "Iterator[RunningSandbox]":
    """An organisation without records, served on a free port of this machine while the test runs."""
    with sandbox.RunningSandbox(schema=sandbox.read_schema(crm_sandbox_schema)) as running:
        yield running
