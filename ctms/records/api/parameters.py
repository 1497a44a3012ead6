"""Which parameters a request may have, and the time zone in which those of days are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from ctms.records.lists.query import InvalidListError


class KnownParametersView(APIView):
    """A view that refuses parameters which it does not know: a program that misspelt one gets no wrong answer.

    `known_parameters` are None for a view that reads all parameters itself, and refuses what it does not understand.
    """

    known_parameters: Collection[str] | None = ()

    def list_known_parameters(self) -> Collection[str] | None:
        """Return the names of the parameters that the request may have; None if the view finds out by itself."""
        return self.known_parameters

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the request before it is answered. Raises InvalidListError.

        What is read is in UTC: a program's answers do not change with a setting of its user's pages.
        """
        super().initial(request, *args, **kwargs)
        known = self.list_known_parameters()
        if known is not None:
            refuse_unknown(request.query_params, known=known)
        if request.method in SAFE_METHODS:
            timezone.activate(dt.UTC)  # until the request ends


def refuse_unknown(parameters: QueryDict, *, known: Collection[str]) -> None:
    """Refuse parameters that are unknown, empty or given more than once. Raises InvalidListError."""
    problems = {}
    for name in parameters:
        if name not in known:
            problems[name] = ["There is no such parameter here. Leave it out."]
        elif len(parameters.getlist(name)) > 1:
            problems[name] = ["This is given more than once. Give it once."]
        elif not parameters[name]:
            problems[name] = ["Give a value, or leave it out."]
    if problems:
        raise InvalidListError(problems)
