"""Addresses of related records: `/sobjects/X/<id>/<relationship>` leads to the parent, or to the children.

Source: "sObject Relationships" of the REST API Developer Guide.
"""

# ruff: noqa: S608  SOQL with checked ids and the schema's names

from typing import Any

from crm_sync.sandbox.api.records import (
    check_present,
    check_writable,
    delete_record,
    fetch_record,
    fetch_records,
    list_wanted_fields,
    read_id,
    update_record,
)
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.errors import not_found
from crm_sync.sandbox.service import ApiRequest, ApiResponse


def read_related(request: ApiRequest, *, name: str, record_id: str, relationship: str) -> ApiResponse:
    """Answer GET: the parent's record, or the children as a query answers them."""
    sobject = request.find_sobject(name)
    identifier = read_id(record_id, sobject=sobject)
    reference = sobject.by_relationship.get(relationship.lower())
    if reference is not None:
        parent, parent_id = find_parent(request, sobject, identifier=identifier, reference=reference)
        return ApiResponse(fetch_record(request, parent, identifier=parent_id))
    child, lookup = find_children(sobject, relationship=relationship)
    check_present(request, sobject, identifier=identifier)
    fields = ", ".join(field.name for field in list_wanted_fields(child, request.query.get("fields")))
    return ApiResponse(
        query_children(request, f"SELECT {fields} FROM {child.name} WHERE {lookup.name} = '{identifier}'")
    )


def query_children(request: ApiRequest, soql: str) -> dict[str, Any]:
    """Return the first page of the children."""
    return request.make_runner().run(
        soql, include_deleted=False, batch_size=request.batch_size, faults=request.page_faults
    )


def update_related(request: ApiRequest, *, name: str, record_id: str, relationship: str) -> ApiResponse:
    """Answer PATCH: change the parent."""
    parent, parent_id = follow(request, name=name, record_id=record_id, relationship=relationship)
    return update_record(request, name=parent.name, record_id=parent_id)


def delete_related(request: ApiRequest, *, name: str, record_id: str, relationship: str) -> ApiResponse:
    """Answer DELETE: delete the parent."""
    parent, parent_id = follow(request, name=name, record_id=record_id, relationship=relationship)
    return delete_record(request, name=parent.name, record_id=parent_id)


def follow(request: ApiRequest, *, name: str, record_id: str, relationship: str) -> tuple[SObject, str]:
    """Return object and id of the parent that may be changed. Raises ApiError `NOT_FOUND` when there is none."""
    sobject = request.find_sobject(name)
    reference = sobject.by_relationship.get(relationship.lower())
    if reference is None:
        raise not_found()
    identifier = read_id(record_id, sobject=sobject)
    parent, parent_id = find_parent(request, sobject, identifier=identifier, reference=reference)
    check_writable(parent)
    return parent, parent_id


def find_parent(request: ApiRequest, sobject: SObject, *, identifier: str, reference: Field) -> tuple[SObject, str]:
    """Return object and id of the record that a field refers to. Raises ApiError when either record is missing."""
    check_present(request, sobject, identifier=identifier)
    record = fetch_records(request, sobject, identifiers=[identifier], fields=[reference])[identifier]
    parent_id = record[reference.name]
    parent = request.organisation.schema.find_by_id(parent_id) if parent_id else None
    if parent is None:
        raise not_found()
    return parent, parent_id


def find_children(sobject: SObject, *, relationship: str) -> tuple[SObject, Field]:
    """Return the object of a child relationship and the field by which it refers. Raises ApiError `NOT_FOUND`."""
    for child, reference in sobject.schema.list_references_to(sobject):
        if reference.child_relationship.lower() == relationship.lower():
            return child, reference
    raise not_found()
