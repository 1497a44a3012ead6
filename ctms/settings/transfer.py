"""The Medical CRM: where it may be, and how the transfer behaves."""

from __future__ import annotations

from ctms.settings.environment import env
from ctms.settings.values import parse_api_version, parse_host_suffixes

# Hosts that a connection, an instance_url or a nextRecordsUrl may name, as suffixes of whole labels: `force.com` allows
# `eu.force.com`, not `salesforce.com`.
CRM_ALLOWED_HOST_SUFFIXES = env.read(
    "CRM_ALLOWED_HOST_SUFFIXES",
    parse_host_suffixes,
    default=["salesforce.com", "force.com", "veeva.com", "veevacrm.com"],
    reads_empty=True,
)
# Reserved `.test` hosts that are served by the CRM sandbox on this machine; never set in production.
CRM_SANDBOX_ORIGINS: dict[str, str] = {}
# Salesforce retires versions of its API after some years; Test Connection names those that an organisation offers.
CRM_API_VERSION = env.read("CRM_API_VERSION", parse_api_version, default="v60.0")
CRM_MAX_ATTEMPTS = 6
CRM_RETRY_BUDGET_SECONDS = 10 * 60  # the longest time that one run over one connection waits before retries, in all
CRM_BACKOFF_BASE_SECONDS = 1.0
CRM_TRANSFER_OVERLAP_SECONDS = 10 * 60
# How often all known accounts are compared, and not only those with a new stamp: identifiers may be formulas.
CRM_ACCOUNT_RECHECK_SECONDS = 24 * 60 * 60
