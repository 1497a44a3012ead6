"""Answers calendar programs, which know a secret address and no session."""

from __future__ import annotations

import hashlib
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from ctms.accounts.addresses import get_client_address
from ctms.accounts.feeds import find_feed
from ctms.accounts.middleware import find_zone
from ctms.core.rate_limits import count_request
from ctms.records.feed.calendar_file import CONTENT_TYPE, write_calendar
from ctms.records.feed.events import list_events

_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Disposition": 'inline; filename="vault.ics"',
}


@require_safe
def show_feed(request: HttpRequest) -> HttpResponse:
    """Answer with the calendar of the feed's user, as the user may see it now.

    The answer is the same 404 for a secret that never was, one that was revoked, and a user who may not log in.
    """
    feed = find_feed(request.GET.get("key", ""))
    if feed is None:
        count_request(scope="refused_tokens", key=get_client_address(request))
        text = "There is no such calendar. Create an address on your profile page.\n"
        return HttpResponse(text, status=HTTPStatus.NOT_FOUND, content_type="text/plain; charset=utf-8")
    count_request(scope="calendar_feeds", key=feed.pk)
    user = feed.user
    request.user = user  # who asks, for the log of requests and the notes of what is looked at
    with timezone.override(find_zone(user.time_zone)):
        name = f"{settings.VAULT_NAME}: {feed.get_contents_display()[:1].lower()}{feed.get_contents_display()[1:]}"
        content = write_calendar(name=name, events=list_events(user=user, contents=feed.contents))
    etag = quote_etag(hashlib.sha256(content).hexdigest())
    answer = HttpResponse(content, content_type=CONTENT_TYPE, headers={"ETag": etag, **_HEADERS})
    # Without the time of the newest change: an event that was deleted would not move it.
    return get_conditional_response(request, etag=etag, response=answer) or answer
