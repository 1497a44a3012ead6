"""A phone number, shown as a link that calls it."""

from __future__ import annotations

import re
from typing import Any

from ctms.core.value_fields import PhoneField
from ctms.records.fields.kinds.base import register_kind
from ctms.records.fields.kinds.text import TextKind

# One number as people write it, with a plus sign and an extension if it has them.
_NUMBER = re.compile(r"(\+?)((?:[\s().\-/]*\d){3,20})\)?(?:\s*(?:ext\.?|x|#)\s*(\d{1,8}))?", re.IGNORECASE)


@register_kind
class PhoneKind(TextKind):
    """A phone number."""

    name = "phone"
    label = "Phone"
    model_fields = (PhoneField,)
    custom_names = {}
    json_schema = {"type": "string", "examples": ["+49 228 1"]}

    def find_link(self, value: Any) -> str:
        """Return the address that calls the number, such as `tel:+4331612345;ext=12`; empty if it is not one number."""
        found = _NUMBER.fullmatch(str(value).strip())
        if found is None:
            return ""
        plus, digits, extension = found.groups()
        # A zero in brackets is dialled only inside the country.
        number = digits.replace("(0)", "") if plus else digits
        return f"tel:{plus}{re.sub(r'[^0-9]', '', number)}" + (f";ext={extension}" if extension else "")
