"""Views of the user's profile: preferences, sessions, calendar feed and API tokens."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ctms.accounts.feeds import find_current_feed
from ctms.accounts.forms import FeedForm, ProfileForm, TokenForm
from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.accounts.second_factor import OFF, find_second_factor
from ctms.accounts.sessions import list_sessions
from ctms.accounts.tokens import list_tokens
from ctms.audit.api_tokens import create_token as create_token_of
from ctms.audit.api_tokens import revoke_token as revoke_token_of
from ctms.audit.calendar_feeds import change_feed as change_feed_of
from ctms.audit.calendar_feeds import create_feed as create_feed_of
from ctms.audit.calendar_feeds import revoke_feed as revoke_feed_of
from ctms.audit.sessions import end_sessions as end_sessions_of
from ctms.audit.users import save_user
from ctms.core.clock import get_now
from ctms.records.bulk.handing_over.owned import may_hand_over_any
from ctms.records.pages.own_record import list_own_records
from ctms.records.requests import build_actor, get_user

ALL_OTHERS = "others"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_profile(request: HttpRequest) -> HttpResponse:
    """Show the profile; a POST saves time zone, theme and shortcuts."""
    # Another instance than `request.user`, so that the page does not show refused values as if they were saved.
    user = User.objects.get(pk=get_user(request).pk)
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        user = form.save(commit=False)
        user.has_settled_time_zone = True
        save_user(user=user, actor=build_actor(request), fields=(*form.changed_data, "has_settled_time_zone"))
        messages.success(request, "Your profile was saved.")
        return redirect("profile")
    return _render(request, form=form)


@require_POST
@login_required
@never_cache
def create_token(request: HttpRequest) -> HttpResponse:
    """Create a token and show it in this response. It does not redirect, because the token's text is not stored."""
    form = TokenForm(request.POST)
    text = ""
    if form.is_valid():
        try:
            token, text = create_token_of(**form.cleaned_data, actor=build_actor(request))
        except ValidationError as error:
            form.add_error("name", error.messages)
        else:
            form = TokenForm()
            messages.success(request, f"The token {token.name} was created. Copy it now: it is not shown again.")
    return _render(request, token_form=form, new_token=text)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke_token(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Ask for confirmation; a POST revokes one of the user's own tokens."""
    token = list_tokens(user=get_user(request)).filter(uid=uid).first()
    if token is None:
        raise Http404("You have no such token. It may have been revoked already.")
    if request.method != "POST":
        return render(request, "records/token_revoke.html", {"token": token})
    revoke_token_of(token=token, actor=build_actor(request))
    messages.success(request, f"The token {token.name} was revoked.")
    return redirect("profile")


@require_POST
@login_required
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of the user's other sessions, or all of them; the one that asks goes on."""
    user, chosen = get_user(request), request.POST.get("session", "")
    others = list_sessions(user=user).exclude(session_key=request.session.session_key)
    sessions = [each for each in others if chosen in (ALL_OTHERS, each.public_id)]
    if ended := end_sessions_of(user=user, sessions=sessions, actor=build_actor(request)):
        messages.success(request, "The session was ended." if ended == 1 else f"{ended} sessions were ended.")
    else:
        messages.info(request, "Nothing was ended: it had ended by itself.")
    return redirect(f"{reverse('profile')}#sessions")


@require_POST
@login_required
@never_cache
def change_feed(request: HttpRequest) -> HttpResponse:
    """Create an address of the user's calendar, change what it shows, or revoke it, by `action`.

    A new address is shown in this response. It does not redirect, because the address is not stored.
    """
    feed, actor = find_current_feed(get_user(request)), build_actor(request)
    if request.POST.get("action") == "revoke":
        if feed is not None and revoke_feed_of(feed=feed, actor=actor):
            messages.success(request, "The address was revoked. Calendar programs that have it get nothing any more.")
        else:
            messages.info(request, "Nothing was revoked: you have no address (any more).")
        return redirect(f"{reverse('profile')}#calendar")
    form = FeedForm(request.POST)
    if not form.is_valid():
        return _render(request, feed_form=form)
    contents = form.cleaned_data["contents"]
    if request.POST.get("action") == "change" and feed is not None:
        change_feed_of(feed=feed, contents=contents, actor=actor)
        messages.success(request, "It was saved. Calendar programs show it when they read the address again.")
        return redirect(f"{reverse('profile')}#calendar")
    _, secret = create_feed_of(contents=contents, actor=actor)
    told = "Copy it now: it is not shown again."
    messages.success(request, f"The address was renewed. {told}" if feed else f"The address was created. {told}")
    return _render(request, new_feed=build_feed_url(secret))


@require_POST
@login_required
@never_cache
def settle_time_zone(request: HttpRequest) -> HttpResponse:
    """Use the time zone of the browser, or keep the present one; it is not offered again."""
    user = User.objects.get(pk=get_user(request).pk)
    name = request.POST.get("zone", "")
    if name and name not in available_timezones():
        messages.error(request, "Time zone: this Vault does not know the one of your browser. Choose one here.")
        return redirect("profile")
    user.has_settled_time_zone = True
    user.time_zone = name or user.time_zone
    save_user(user=user, actor=build_actor(request), fields=("time_zone", "has_settled_time_zone"))
    if name:
        messages.success(request, f"Dates and times are shown in {name.replace('_', ' ')}.")
    back = request.POST.get("next", "")
    is_own = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_own else "home")


def build_feed_url(secret: str) -> str:
    """Return the address of a calendar feed. The secret is in the query, which is not in the log of requests."""
    query = urlencode({"key": secret})
    return f"{settings.VAULT_BASE_URL.rstrip('/')}{reverse('calendar_feed')}?{query}"


def _render(
    request: HttpRequest,
    *,
    form: ProfileForm | None = None,
    token_form: TokenForm | None = None,
    new_token: str = "",
    feed_form: FeedForm | None = None,
    new_feed: str = "",
) -> HttpResponse:
    user = get_user(request)
    feed = find_current_feed(user)
    context = {
        "form": form or ProfileForm(instance=user),
        "token_form": token_form or TokenForm(),
        "new_token": new_token,
        "tokens": list_tokens(user=user),
        "feed": feed,
        "feed_form": feed_form or FeedForm(initial={"contents": feed.contents} if feed else None),
        "new_feed": new_feed,
        "sessions": list_sessions(user=user),
        "session_key": request.session.session_key,
        "all_others": ALL_OTHERS,
        "idle_minutes": settings.SESSION_IDLE_MINUTES,
        "lifetime_hours": settings.SESSION_LIFETIME_HOURS,
        "now": get_now(),
        "may_hand_over": may_hand_over_any(user),
        "own_records": list_own_records(user),
        "offers_second_factor": settings.TOTP != OFF,
        "second_factor": find_second_factor(user),
    }
    return render(request, "records/profile.html", context)
