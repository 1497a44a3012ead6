from __future__ import annotations

import pytest

from ctms.jobs.errors import UnknownJobError
from ctms.jobs.registry import get_handler, list_handlers
from tests.jobs.handlers import CountingJob


def test_a_registered_job_is_found_and_listed(job: CountingJob) -> None:
    assert get_handler(job.key).name == "Counting Job"
    assert get_handler(job.key) in list_handlers()


def test_a_job_that_nobody_registered_is_named_with_what_to_do() -> None:
    with pytest.raises(UnknownJobError) as raised:
        get_handler("gone_job")
    assert str(raised.value) == (
        "No installed app does the job 'gone_job'. Make it Inactive, or install the app that it was delivered with."
    )
