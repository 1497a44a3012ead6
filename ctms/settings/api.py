"""The REST API and its document."""

from __future__ import annotations

from typing import Any

from ctms import __version__
from ctms.settings.names import VAULT_NAME

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ctms.records.api.authentication.TokenAuthentication",  # first, so that a 401 answer asks for a token
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["ctms.records.api.throttling.UserThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ctms.records.api.parsing.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "ctms.records.api.errors.handle_exception",
    "URL_FORMAT_OVERRIDE": None,  # the parameter `format` is treated as any other filter
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    # The document depends on the configuration in the database, which checks do not have; a test validates it.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "TITLE": VAULT_NAME,
    "DESCRIPTION": "Every object of the Vault: read, search, create, change and delete its records; run reports.",
    "VERSION": "1",
    "EXTENSIONS_INFO": {"x-vault-version": __version__},  # of the product; that of the API is above
    "OAS_VERSION": "3.1.0",
    "CONTACT": {"name": "Admins of this Vault"},
    "SERVERS": [{"url": "/", "description": "This Vault"}],
    "DEFAULT_GENERATOR_CLASS": "ctms.records.api.schema.VaultSchemaGenerator",
    "PATH_CONVERTER_OVERRIDES": {"uid": {"type": "string", "format": "uuid"}},
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVE_INCLUDE_SCHEMA": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "none",
        "filter": True,
        "validatorUrl": None,  # a validator elsewhere would be sent the address of the document
    },
}
