"""Writes the e-mail of a daily digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from ctms.accounts.middleware import find_zone
from ctms.accounts.models import User
from ctms.reports.digest.content import DigestContent
from ctms.reports.digest.parts import DigestPart
from ctms.reports.digest.subscriptions import build_stop_url
from ctms.reports.flash.letters import Letter, build_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line as it is written, with the whole address of its page."""

    text: str
    note: str
    day: str
    url: str


def write_letter(*, user: User, content: DigestContent, identity: str) -> Letter:
    """Return the e-mail; `identity` names it among all others."""
    stop_url, base = build_stop_url(user), settings.VAULT_BASE_URL.rstrip("/")
    with timezone.override(find_zone(user.time_zone)):
        context = {
            "vault_name": settings.VAULT_NAME,
            "day": date_format(content.day, "DATE_FORMAT"),
            "parts": [_write_part(each, base=base) for each in content.parts],
            "home_url": f"{base}{reverse('home')}",
            "settings_url": f"{base}{reverse('digest')}",
            "stop_url": stop_url,
            "zone": user.time_zone.replace("_", " "),
            "hour": f"{user.digest_hour:02}:00" if user.digest_hour is not None else "",
        }
        text, html = (render_to_string(f"reports/digest/mail.{kind}", context) for kind in ("txt", "html"))
    return Letter(
        subject=f"{context['day']}: {content.summary}",
        text=text,
        html=html,
        attachments=(),
        headers=build_headers(unsubscribe_url=stop_url, identity=identity),
    )


def _write_part(part: DigestPart, *, base: str) -> dict[str, Any]:
    return {
        "title": part.title,
        "total": part.total,
        "left_out": part.left_out,
        "lines": [
            _Line(
                text=" ".join(each.text.split()),
                note=each.note,
                day=date_format(each.day, "DATE_FORMAT") if each.day is not None else "",
                url=f"{base}{each.path}",
            )
            for each in part.rows
        ],
    }
