"""A test that leaves a registry otherwise than it found it fails."""

from __future__ import annotations

import pytest

from ctms.jobs import registry
from tests.jobs.handlers import CountingJob
from tests.registries import find_registries, list_changed, read_contents


def test_a_registry_that_has_more_than_before_is_named_with_what_came() -> None:
    assert "ctms.configuration.registry._objects" in find_registries()
    before = read_contents()
    with CountingJob(key="left_over", units=["north"]).registered():
        assert list_changed(before) == ["ctms.jobs.registry._handlers has left_over more and nothing less than before."]
    assert list_changed(before) == []


def test_a_registry_that_has_less_than_before_is_named_with_what_went() -> None:
    before = read_contents()
    with pytest.MonkeyPatch.context() as patch:
        key = next(iter(registry._handlers))
        patch.delitem(registry._handlers, key)
        assert list_changed(before) == [f"ctms.jobs.registry._handlers has nothing more and {key} less than before."]
    assert list_changed(before) == []
