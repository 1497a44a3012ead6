from __future__ import annotations

from datetime import timedelta

from ctms.core.clock import get_now


def test_the_time_is_aware_and_in_utc() -> None:
    assert get_now().utcoffset() == timedelta(0)
