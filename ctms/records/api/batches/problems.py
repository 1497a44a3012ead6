"""What is wrong with a row of a batch, in the shape in which it would be told of a request for its record alone."""

from __future__ import annotations

from collections.abc import Sequence

from ctms.records.api.errors import INVALID_BODY, UNCONFIRMED, ApiProblem
from ctms.records.api.problems import PROBLEM_TYPES
from ctms.records.writing.bulk_write import IN_USE, NO_REASON, NOT_ALLOWED, STALE, TAKEN, RowDraft, RowProblem

# The code of a problem that says all by itself.
_WHOLE = {NOT_ALLOWED: "not-allowed", STALE: "stale-version", IN_USE: "in-use", NO_REASON: "reason-required"}


def describe_draft(draft: RowDraft) -> ApiProblem:
    """Return the refusal of a draft with problems."""
    for each in draft.problems:
        if each.code in _WHOLE:
            return _build(_WHOLE[each.code], detail=each.message)
    errors = [_describe(each) for each in draft.problems]
    if all(each.code == TAKEN for each in draft.problems):
        first = draft.problems[0]
        more = {"field": first.name} if first.name else {}
        return _build("key-taken", detail=first.message, errors=errors, more=more)
    return _build("invalid", detail=INVALID_BODY, errors=errors)


def describe_unconfirmed(asked: Sequence[RowProblem]) -> ApiProblem:
    """Return the refusal of a row with values that are to be confirmed."""
    errors = [{**_describe(each), "code": "unconfirmed"} for each in asked]
    return _build("unconfirmed", detail=UNCONFIRMED, errors=errors)


def _describe(problem: RowProblem) -> dict[str, str]:
    named = {"field": problem.name} if problem.name else {}
    return {**named, "detail": problem.message, **({"code": "taken"} if problem.code == TAKEN else {})}


def _build(
    code: str, *, detail: str, errors: Sequence[dict[str, str]] = (), more: dict[str, str] | None = None
) -> ApiProblem:
    return ApiProblem(status=PROBLEM_TYPES[code].status, detail=detail, errors=list(errors), more=more or {}, code=code)
