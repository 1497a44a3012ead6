"""For ASGI servers."""

from django.core.asgi import get_asgi_application

from ctms.settings.choice import choose_settings

choose_settings()

application = get_asgi_application()
