"""Production's settings for the processes of these tests, with the CRM sandbox allowed and intervals of seconds."""

from celery.schedules import schedule

from ctms.settings.base import CELERY_BEAT_SCHEDULE, build_logging, env
from ctms.settings.production import *  # noqa: F403  settings modules build on one another
from ctms.settings.values import parse_origins

CRM_SANDBOX_ORIGINS = env.read("RELIABILITY_SANDBOX_ORIGINS", parse_origins, default={})
# The same as in the test's own process, since tests compare what both have sent.
VAULT_BASE_URL = "http://127.0.0.1:8000"
# The Vault of the test's own process is theirs.
VAULT_INSTANCE = ""
JOB_LEASE_SECONDS = env.integer("RELIABILITY_LEASE_SECONDS", default=60)
JOB_REQUEUE_SECONDS = 2
CELERY_BEAT_SCHEDULE = {
    name: entry | {"schedule": schedule(0.5, nowfun=entry["schedule"].nowfun)}
    for name, entry in CELERY_BEAT_SCHEDULE.items()
}
LOGGING = build_logging(renderer=env.choice("RELIABILITY_LOG_RENDERER", ("console", "json"), default="console"))

env.judge()
