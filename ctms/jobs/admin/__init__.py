"""Operations in the admin: Job Definitions with Start Now, Job Status, leases, the test e-mail."""

from ctms.jobs.admin.definitions import JobDefinitionAdmin
from ctms.jobs.admin.leases import LeaseAdmin
from ctms.jobs.admin.runs import JobRunAdmin

__all__ = ["JobDefinitionAdmin", "JobRunAdmin", "LeaseAdmin"]
