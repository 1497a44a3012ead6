"""The OpenAPI document, and the page on which people read and try it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication

from ctms.records.api.parameters import KnownParametersView


class SchemaView(KnownParametersView, SpectacularAPIView):
    """Serves the OpenAPI document as YAML or JSON, whichever the request asks for."""


class DocsView(SpectacularSwaggerSplitView):
    """Serves Swagger UI from the Vault itself, its script from a separate address: the CSP forbids inline scripts."""

    url_name = "api_schema"
    template_name = "records/api_docs.html"
    authentication_classes = (SessionAuthentication,)


# People read this page, so they are sent to the log-in page rather than refused with a 401.
show_docs = login_required(DocsView.as_view())
