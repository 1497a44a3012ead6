"""Errors of jobs and their runs. Each message says what to do."""

from __future__ import annotations

from ctms.core.errors import VaultError


class UnknownJobError(VaultError):
    """No installed app has registered the job of this definition."""


class JobAlreadyRunningError(VaultError):
    """A run was requested while another of the same unit is scheduled or running."""


class NotCancellableError(VaultError):
    """The run ended already, or somebody cancelled it before."""


class RunCancelledError(VaultError):
    """Somebody cancelled the run: it ends here, and what it wrote so far stays."""

    log = ""


class LeaseLostError(VaultError):
    """Another run took over the lease, so this one must not write any more."""
