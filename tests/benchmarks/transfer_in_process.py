"""Executes queued runs, whose keys are the arguments, in a fresh process and prints its peak memory.

`BENCHMARK_DATABASE` names the database of the test, and CRM_SANDBOX_ORIGINS the sandboxes.
"""

from __future__ import annotations

import json
import os
import resource
import sys

import django
from django.db import connection
from django.utils.module_loading import import_string


def main() -> None:
    """Execute the runs with the keys that the arguments name, one after the other."""
    django.setup()
    connection.settings_dict["NAME"] = os.environ["BENCHMARK_DATABASE"]
    execute_run = import_string("ctms.jobs.services.execute_run")
    states = [finished.state if (finished := execute_run(int(key))) else "lost" for key in sys.argv[1:]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"states": states, "peak_mb": peak}))  # noqa: T201  read by the process that started this one


if __name__ == "__main__":
    main()
