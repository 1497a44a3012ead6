"""What records are called: where they lead, and where another record refers to them."""

from __future__ import annotations

from django.db.models import Model

from ctms.configuration.registry import get_object_of_model


def get_title(record: Model) -> str:
    """Return the value of the object's title field; the name if it has none, or if it is empty."""
    vault_object = get_object_of_model(type(record))
    if vault_object is None or not vault_object.title_field:
        return str(record)
    return str(getattr(record, vault_object.fields[vault_object.title_field]) or record)


def get_code(record: Model) -> str:
    """Return the name of a record that is called by its title; empty if the title is the name."""
    name = str(record)
    return name if get_title(record) != name else ""


def mention_record(record: Model) -> str:
    """Return the record's name with what people know it by, such as `04001 · Graz`."""
    vault_object = get_object_of_model(type(record))
    if vault_object is None or not vault_object.mention_fields:
        return str(record)
    found = (str(getattr(record, vault_object.fields[name]) or "") for name in vault_object.mention_fields)
    return join_caption(name=str(record), caption=next(filter(None, found), ""))


def join_caption(*, name: str, caption: str) -> str:
    """Join name and caption of a record, such as `0001 · Hospital`."""
    return f"{name} · {caption}" if caption else name
