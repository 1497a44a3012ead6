"""The Celery application. Beat sends `jobs.dispatch_due` every minute; workers run it and the jobs that it queues."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctms.settings.embedded")

app = Celery("ctms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
