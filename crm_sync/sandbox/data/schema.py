"""The objects that an organisation may have. A new object or field needs an entry in a list, or in a file."""

from crm_sync.sandbox.data.fields import Field, Schema, SObject
from crm_sync.sandbox.data.standard_objects import STANDARD_OBJECTS
from crm_sync.sandbox.data.vendor_objects import VENDOR_OBJECTS

__all__ = ["ALL", "VENDOR", "Field", "SObject", "Schema"]

VENDOR = Schema(VENDOR_OBJECTS)
ALL = Schema((*VENDOR_OBJECTS, *STANDARD_OBJECTS))
