"""Views of the user's profile: preferences, sessions and API tokens."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ctms.accounts.forms import ProfileForm, TokenForm
from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.accounts.second_factor import OFF, find_second_factor
from ctms.accounts.sessions import list_sessions
from ctms.accounts.tokens import list_tokens
from ctms.audit.api_tokens import create_token as create_token_of
from ctms.audit.api_tokens import revoke_token as revoke_token_of
from ctms.audit.sessions import end_sessions as end_sessions_of
from ctms.audit.users import save_user
from ctms.core.clock import get_now
from ctms.records.bulk.handing_over.owned import may_hand_over_any
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
        save_user(user=form.save(commit=False), actor=build_actor(request), fields=form.changed_data)
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


def _render(
    request: HttpRequest,
    *,
    form: ProfileForm | None = None,
    token_form: TokenForm | None = None,
    new_token: str = "",
) -> HttpResponse:
    user = get_user(request)
    context = {
        "form": form or ProfileForm(instance=user),
        "token_form": token_form or TokenForm(),
        "new_token": new_token,
        "tokens": list_tokens(user=user),
        "sessions": list_sessions(user=user),
        "session_key": request.session.session_key,
        "all_others": ALL_OTHERS,
        "idle_minutes": settings.SESSION_IDLE_MINUTES,
        "lifetime_hours": settings.SESSION_LIFETIME_HOURS,
        "now": get_now(),
        "may_hand_over": may_hand_over_any(user),
        "offers_second_factor": settings.TOTP != OFF,
        "second_factor": find_second_factor(user),
    }
    return render(request, "records/profile.html", context)
