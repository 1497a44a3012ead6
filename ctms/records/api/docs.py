"""The OpenAPI document, and the page on which people read and try it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication


class SchemaView(SpectacularAPIView):
    """The document, as YAML or JSON, whichever is asked for."""


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from the Vault itself. Its script has an address of its own, so that none stands in the page."""

    url_name = "api_schema"
    template_name = "records/api_docs.html"
    authentication_classes = (SessionAuthentication,)


# Whoever reads the page is a person, and led to the log-in page instead of refused.
show_docs = login_required(DocsView.as_view())
