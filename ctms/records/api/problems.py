"""The codes of refusals. Each is documented at an address of its own, which is the `type` of the problem (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemType:
    """A kind of refusal: its code, its status, what it means and what the caller does next."""

    code: str
    status: int
    meaning: str
    remedy: str

    @property
    def url(self) -> str:
        """The address of its documentation."""
        return reverse("api_problem", args=(self.code,))

    @property
    def parts(self) -> list[str]:
        """What it means and what to do, in parts: every second one is a name of the answer, between backticks."""
        return f"{self.meaning} {self.remedy}".split("`")


def _list_types() -> list[ProblemType]:
    return [
        ProblemType(code=code, status=status, meaning=meaning, remedy=remedy) for code, status, meaning, remedy in _ROWS
    ]


_ROWS: tuple[tuple[str, int, str, str], ...] = (
    (
        "already-created",
        409,
        "A record of this uid__sys or external_id__v has every value that was sent: an earlier try succeeded.",
        "Take it for success. The record is at `existing`.",
    ),
    (
        "other-values",
        409,
        "A record of this uid__sys is there, and values that were sent are not in it: they were not saved.",
        "Read the record at `existing`, and change it; or send a new uid__sys if another record is meant.",
    ),
    (
        "key-taken",
        409,
        "Another record has a value that only one may have. `field` names it; `existing` is the record, if you see it.",
        "Send another value, or change the record that has it.",
    ),
    (
        "uid-deleted",
        409,
        "A record had this uid__sys and was deleted. To users who do not see every record of its object it is taken.",
        "Do not send it again. Create another record with a new uid__sys if it is still wanted.",
    ),
    (
        "in-use",
        409,
        "The record cannot be deleted, because others refer to it. `detail` counts those that you see.",
        "Delete or change those first, or make the record Inactive.",
    ),
    (
        "ambiguous",
        409,
        "Several records that you see have this key.",
        "Use a key that only one record has: its uid__sys or external_id__v.",
    ),
    (
        "duplicate-row",
        409,
        "Two rows of a batch are about the same record.",
        "Leave one of the two.",
    ),
    (
        "report-unusable",
        409,
        "The report cannot be run; `errors` name what has to be mended.",
        "Ask who may edit the report.",
    ),
    ("merged", 410, "The record was merged into another, which is at `existing`.", "Use that one."),
    (
        "stale-version",
        412,
        "Somebody changed or deleted the record since it was read. Nothing was saved.",
        "Read it again, and apply your change to what it is now.",
    ),
    (
        "idempotency-key-reused",
        422,
        "Another request was answered under this Idempotency-Key: other method, address or body.",
        "Give each request a key of its own, and the same key only to repetitions of it.",
    ),
    ("invalid", 400, "The body is wrong; `errors` name each field.", "Correct what they name, and send it again."),
    (
        "invalid-parameters",
        400,
        "Parameters of the address or headers are wrong; `errors` name each `parameter`.",
        "Correct or leave out what they name.",
    ),
    (
        "unconfirmed",
        400,
        "Values are possible but seldom meant, such as a year 2099.",
        "Correct them, or send it again with confirmed__sys, the list of the fields whose values are right.",
    ),
    (
        "reason-required",
        400,
        "An admin asks why such a record is changed or deleted.",
        "Say it in the header X-Change-Reason, percent-encoded.",
    ),
    ("not-authenticated", 401, "There is no valid token or session.", "Create a token on your profile page."),
    (
        "not-allowed",
        403,
        "Your security profile, the scope of the token, or the object type does not allow it; `detail` says which.",
        "Ask an admin.",
    ),
    ("not-found", 404, "It is not there, or you do not see it.", "Check address and key."),
    (
        "method-not-allowed",
        405,
        "The address has no such method; the header Allow names those that it has.",
        "Use one.",
    ),
    ("not-acceptable", 406, "Answers are JSON; lists are CSV as well.", "Send Accept: application/json, or no Accept."),
    ("too-large", 413, "The body is too large.", "Send less at once."),
    ("unsupported-media-type", 415, "Bodies are JSON alone.", "Send Content-Type: application/json."),
    (
        "version-required",
        428,
        "The request does not say which version of the record it was made from.",
        "Send the header If-Match with the ETag that the record was read with; in a row of a batch, `version`.",
    ),
    (
        "too-many-requests",
        429,
        "There were too many calls within a minute.",
        "Wait as many seconds as the header Retry-After says. Batches take fewer calls.",
    ),
    ("too-slow", 503, "The database did not answer in time.", "Ask for less."),
)
PROBLEM_TYPES: Mapping[str, ProblemType] = {each.code: each for each in _list_types()}
# What a refusal is that says nothing but its status.
_OF_STATUS: Mapping[int, str] = {
    400: "invalid",
    401: "not-authenticated",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    410: "merged",
    412: "stale-version",
    413: "too-large",
    415: "unsupported-media-type",
    422: "idempotency-key-reused",
    428: "version-required",
    429: "too-many-requests",
    503: "too-slow",
}


def get_code(status: int) -> str:
    """Return the code of a refusal with this status that has none of its own; empty for a status without one."""
    return _OF_STATUS.get(status, "")


@login_required
def show_problem_types(request: HttpRequest, code: str = "") -> HttpResponse:
    """Show what the codes of refusals mean; with `code`, one of them."""
    if code and code not in PROBLEM_TYPES:
        raise Http404(f"There is no refusal of the code {code}.")
    shown = [PROBLEM_TYPES[code]] if code else list(PROBLEM_TYPES.values())
    return render(request, "records/api_problems.html", {"types": shown, "is_one": bool(code)})
