"""The console pages of jobs: `definitions` with Start Now, `runs` (Job Status), `leases`, and `mail` (test e-mail).

`kept_rows` shows what Housekeeping keeps, `counts` the figures of a run.
"""

from ctms.jobs.admin.definitions import JobDefinitionAdmin
from ctms.jobs.admin.leases import LeaseAdmin
from ctms.jobs.admin.runs import JobRunAdmin

__all__ = ["JobDefinitionAdmin", "JobRunAdmin", "LeaseAdmin"]
