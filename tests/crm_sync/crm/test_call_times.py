"""The histogram of how long calls took: close to what was measured, added up, and without calls no figure."""

from __future__ import annotations

from collections import Counter

import pytest

from crm_sync.crm.call_times import add_up, find_bucket, find_time, store_times


@pytest.mark.parametrize("milliseconds", [1, 3, 48, 210, 999, 60_000])
def test_a_time_is_found_again_within_nine_per_cent(milliseconds: float) -> None:
    found = find_time({find_bucket(milliseconds): 1}, share=0.5)
    assert found == pytest.approx(milliseconds, rel=0.095)


def test_less_than_a_millisecond_counts_as_one() -> None:
    assert find_bucket(0) == find_bucket(0.2) == find_bucket(1) == 0


def test_median_and_95_per_cent_are_of_the_calls_in_their_order() -> None:
    times = Counter({find_bucket(10): 90, find_bucket(100): 8, find_bucket(1000): 2})
    assert find_time(times, share=0.5) == pytest.approx(10, rel=0.1)
    assert find_time(times, share=0.95) == pytest.approx(100, rel=0.1)
    assert find_time(times, share=1) == pytest.approx(1000, rel=0.1)
    assert find_time({}, share=0.5) is None


def test_histograms_are_stored_as_json_and_added_up() -> None:
    stored = store_times({40: 2, 3: 1, 7: 0})
    assert stored == {"3": 1, "40": 2}
    assert add_up([stored, {"40": 5}, {}]) == {3: 1, 40: 7}
