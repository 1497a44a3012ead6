"""The WSGI application that servers such as gunicorn run."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctms.settings.embedded")

application = get_wsgi_application()
