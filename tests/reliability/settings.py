"""Production's settings for real processes, with the CRM sandbox allowed and minutes made seconds."""

from ctms.settings.base import CELERY_BEAT_SCHEDULE, build_logging, env
from ctms.settings.production import *  # noqa: F403  settings modules build on one another

CRM_SANDBOX_ORIGINS = env.dict("RELIABILITY_SANDBOX_ORIGINS")
# As in the process of the tests, which compares what both have sent.
VAULT_BASE_URL = "http://127.0.0.1:8000"
JOB_LEASE_SECONDS = env.int("RELIABILITY_LEASE_SECONDS")
JOB_REQUEUE_SECONDS = 2
CELERY_BEAT_SCHEDULE = {name: entry | {"schedule": 0.5} for name, entry in CELERY_BEAT_SCHEDULE.items()}
LOGGING = build_logging(renderer="console")
