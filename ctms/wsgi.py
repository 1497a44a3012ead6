"""The WSGI application that servers such as gunicorn run."""

from django.core.wsgi import get_wsgi_application

from ctms.settings.choice import choose_settings

# gunicorn would start a worker that ends with 1 again and again; this one says that the application cannot be loaded.
_GUNICORN_GIVES_UP = 4

choose_settings()

try:
    application = get_wsgi_application()
except SystemExit:  # the settings are wrong, which was told
    raise SystemExit(_GUNICORN_GIVES_UP) from None
