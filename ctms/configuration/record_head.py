"""Where a field stands on the page of a record: in its head, or in the section that the page layout gives it.

Each field stands once. The title, the caption and the header fields of the object are shown, and edited, in the head;
a layout that names them too decides where forms ask for them. See docs/decisions/0084.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ctms.configuration.fields import OBJECT_TYPE

if TYPE_CHECKING:
    from ctms.configuration.registry import VaultObject

NAME, STATUS = "name__v", "status__v"


class Place(StrEnum):
    """A place on the page of a record. A `MARK` is a word beside the title, which is not edited there."""

    TITLE = "title"
    CAPTION = "caption"
    MARK = "mark"
    HEAD = "head"
    SECTION = "section"


def get_title_name(vault_object: VaultObject) -> str:
    """Return the API name of the field that is the title of a record's page."""
    return vault_object.title_field or vault_object.heading_field or NAME


def find_place(*, vault_object: VaultObject, name: str) -> Place:
    """Return where the page of a record shows the field of this API name."""
    if name == get_title_name(vault_object):
        return Place.TITLE
    if name == vault_object.caption_field:
        return Place.CAPTION
    if name in (NAME, OBJECT_TYPE, STATUS):
        return Place.MARK
    return Place.HEAD if name in vault_object.header_fields else Place.SECTION
