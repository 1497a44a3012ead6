"""The console pages of this Vault: which it is, its maintenance, the drills of its backups."""

from ctms.machine.admin.drills import RestoreDrillAdmin
from ctms.machine.admin.installation import InstallationAdmin

__all__ = ["InstallationAdmin", "RestoreDrillAdmin"]
