"""Errors of jobs and their runs. Each message says what to do."""

from __future__ import annotations

from ctms.core.errors import VaultError


class UnknownJobError(VaultError):
    """No installed app has registered the job of this definition."""


class JobAlreadyRunningError(VaultError):
    """A run was requested while another of the same unit is scheduled or running."""


class JobHeldError(JobAlreadyRunningError):
    """No run can begin now: the Vault is a copy, undecided, or under maintenance. It is refused as one too many is."""


class NotCancellableError(VaultError):
    """The run ended already, or somebody cancelled it before."""


class RunCancelledError(VaultError):
    """Somebody cancelled the run: it ends here, and what it wrote so far stays."""

    log = ""  # lines about what was done, for the job's history


class LeaseLostError(VaultError):
    """Another run took over the lease, so this one must not write any more."""


class WorkerStoppingError(LeaseLostError):
    """The worker ends, so the run gives its lease back after its batch, and another run goes on from there."""

    log = ""
