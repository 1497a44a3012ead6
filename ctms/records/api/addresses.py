"""Parts of addresses: uids, in whatever case they are written."""

from __future__ import annotations

from uuid import UUID

from django.urls import register_converter
from django.urls.converters import UUIDConverter

UID_PART = "uid"


class UidConverter(UUIDConverter):
    """Matches a uid in any case, where Django's own converter takes lower case alone."""

    regex = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"

    def to_python(self, value: str) -> UUID:
        return super().to_python(value)


register_converter(UidConverter, UID_PART)
