"""The call to a webhook: signed, to an address of the internet alone, without redirects and proxies."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import requests
from django.core.exceptions import ValidationError

from ctms.core.checked_transport import CheckedAdapter, RefusedAddressError, UnredirectedSession, is_public_address
from ctms.core.clock import get_now
from ctms.core.standing import HeldError, require_sending
from ctms.webhooks.signing import SIGNATURE_HEADER, sign, sign_standard
from ctms.webhooks.validators import validate_webhook_url

if TYPE_CHECKING:
    from ctms.webhooks.models import WebhookDelivery

_CONNECT_SECONDS, _READ_SECONDS = 5, 10
_ACCEPTED, _REDIRECTS = range(200, 300), range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How a call ended: whether it was accepted, the status if there was an answer, and a sentence."""

    is_accepted: bool
    status_code: int | None
    message: str


def open_session() -> requests.Session:
    """Return a session that reaches addresses of the internet over https, and nothing else."""
    session = UnredirectedSession()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount("https://", CheckedAdapter(is_allowed=is_public_address, pool_size=1))
    session.headers.clear()
    return session


def call_webhook(delivery: WebhookDelivery) -> CallResult:
    """Send a delivery once. Nothing of the answer is read but its status."""
    try:
        require_sending("The event")
    except HeldError as error:
        return CallResult(is_accepted=False, status_code=None, message=str(error))
    webhook, body = delivery.webhook, delivery.body.encode()
    if not webhook.secret:
        return CallResult(is_accepted=False, status_code=None, message="It has no secret. Make one on its page.")
    headers = {"Content-Type": "application/json", "User-Agent": "ctms-vault", **_sign(delivery, body)}
    try:
        validate_webhook_url(webhook.url)
        with (
            open_session() as session,
            session.post(
                webhook.url,
                data=body,
                headers=headers,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                stream=True,
                allow_redirects=False,
            ) as answer,
        ):
            return _judge(answer.status_code)
    except ValidationError as error:
        message = " ".join(error.messages)
    except RefusedAddressError as error:
        message = str(error)
    except requests.exceptions.SSLError:
        message = "No secure connection came about. Check the certificate of the receiver."
    except requests.Timeout:
        message = f"The receiver did not answer within {_READ_SECONDS} seconds."
    except requests.RequestException as error:
        message = f"The receiver could not be reached ({type(error).__name__}). Check the address, and that it answers."
    return CallResult(is_accepted=False, status_code=None, message=message)


def _sign(delivery: WebhookDelivery, body: bytes) -> dict[str, str]:
    """Return the headers that say which event it is, signed by every secret of the webhook that is valid."""
    webhook, uid, timestamp = delivery.webhook, str(delivery.uid), int(get_now().timestamp())
    keys = [each.reveal() for each in (webhook.secret, webhook.previous_secret) if each]
    headers = sign_standard(keys=keys, uid=uid, body=body, timestamp=timestamp)
    if not webhook.source:
        older = {"Vault-Event": delivery.event, "Vault-Delivery": uid}
        headers |= older | {SIGNATURE_HEADER: sign(secret=keys[0], body=body, timestamp=timestamp)}
    return headers


def _judge(status_code: int) -> CallResult:
    if status_code in _ACCEPTED:
        return CallResult(is_accepted=True, status_code=status_code, message=f"Answered with {status_code}.")
    if status_code in _REDIRECTS:
        message = f"Answered with {status_code}, a redirect, which is not followed. Enter the final address."
    else:
        message = f"Answered with {status_code}; only 200 to 299 counts as received."
    return CallResult(is_accepted=False, status_code=status_code, message=message)
