"""One-time codes of an authenticator app (TOTP, RFC 6238), and the codes that replace a lost one.

`TOTP` in the settings says whether users may have a second factor (`optional`), must (`required`), or cannot (`off`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from ctms.accounts.models import SecondFactor, User
from ctms.core.clock import get_now
from ctms.core.encryption import decrypt, encrypt
from ctms.core.errors import EncryptionKeyError

OFF, OPTIONAL, REQUIRED = "off", "optional", "required"
PENDING_SECONDS = 10 * 60  # how long a password, or a secret that is not confirmed, waits for its code
RECOVERY_CODES = 10
_SECRET_BYTES = 20
_STEP_SECONDS = 30
_DIGITS = 6
_TOLERATED_STEPS = (0, -1, 1)  # clocks of phones are up to half a minute wrong
_RECOVERY_BYTES = 10

_PENDING = "second_factor_pending"
_NEW_SECRET = "second_factor_new_secret"  # noqa: S105  the name of a value of the session
_PASSED = "second_factor_passed"


# -- Codes ----------------------------------------------------------------------------------------
def create_secret() -> str:
    """Return a new random secret in base32, as authenticator apps take it."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def compute_code(*, secret: str, step: int) -> str:
    """Return the code of a step, which is the number of half minutes since 1970."""
    generator = TOTP(base64.b32decode(secret), _DIGITS, SHA1(), _STEP_SECONDS)  # noqa: S303  the algorithm of all apps
    return generator.generate(step * _STEP_SECONDS).decode()


def get_present_step() -> int:
    return int(get_now().timestamp()) // _STEP_SECONDS


def find_step(*, secret: str, code: str) -> int | None:
    """Return the step whose code this is, if it is the present one or a neighbour of it."""
    now = get_present_step()
    for offset in _TOLERATED_STEPS:
        if hmac.compare_digest(compute_code(secret=secret, step=now + offset).encode(), code.encode()):
            return now + offset
    return None


def draw_secret(*, secret: str, user: User) -> str:
    """Return a QR code of the secret as the address (`data:`) of an image."""
    generator = TOTP(base64.b32decode(secret), _DIGITS, SHA1(), _STEP_SECONDS)  # noqa: S303  the algorithm of all apps
    uri = generator.get_provisioning_uri(user.get_username(), settings.VAULT_NAME)
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=3, light="#fff"))


def create_recovery_codes() -> list[str]:
    """Return new codes, each of which replaces the app once, e.g. `ab2c-d3ef-gh4i-jk5l`."""
    texts = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]


def digest_recovery_code(code: str) -> str:
    """Return the digest of a code, which has 80 random bits and therefore needs no slow hash."""
    return hashlib.sha256(clean_code(code).encode("utf-8", "surrogateescape")).hexdigest()


def clean_code(code: str) -> str:
    """Return a code as it is compared: people type spaces, hyphens and capitals."""
    return "".join(code.split()).replace("-", "").lower()


# -- Who has one, and who has to ------------------------------------------------------------------
def find_second_factor(user: User) -> SecondFactor | None:
    """Return the second factor that a log-in of the user asks for; None if it asks for none."""
    if settings.TOTP == OFF:
        return None
    return SecondFactor.objects.filter(user=user).first()


def must_set_up(session: SessionBase) -> bool:
    """Whether a user who is logged in by password has to set up a second factor before anything else."""
    return settings.TOTP == REQUIRED and not session.get(_PASSED)


def note_passed(session: SessionBase) -> None:
    """Note that the session has a second factor: a code, or an identity provider that asks for one."""
    session[_PASSED] = True


def forget_passed(session: SessionBase) -> None:
    """Note that the session has no second factor any more."""
    session.pop(_PASSED, None)


# -- Between the password and the code ------------------------------------------------------------
def remember_pending(session: SessionBase, *, user: User) -> None:
    """Remember that the user's password was right, in a session that is not logged in."""
    session.cycle_key()
    session[_PENDING] = {
        "user": user.pk,
        "until": get_now().timestamp() + PENDING_SECONDS,
        # Does not fit any more if the password is changed meanwhile.
        "hash": user.get_session_auth_hash(),
    }


def find_pending_user(session: SessionBase) -> User | None:
    """Return the user whose password was right a short while ago; None if there is none."""
    pending = session.get(_PENDING)
    if pending is None or pending["until"] <= get_now().timestamp():
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    return user if user is not None and hmac.compare_digest(user.get_session_auth_hash(), pending["hash"]) else None


def get_new_secret(session: SessionBase, *, user: User) -> str:
    """Return the secret that the user is setting up, a new one if there is none; the session has it encrypted."""
    context = f"accounts.second_factor.new.{user.uid}"
    try:
        return decrypt(token=session.get(_NEW_SECRET, ""), context=context)
    except EncryptionKeyError:  # none yet, or of another key
        secret = create_secret()
        session[_NEW_SECRET] = encrypt(plaintext=secret, context=context)
        return secret


def forget_new_secret(session: SessionBase) -> None:
    session.pop(_NEW_SECRET, None)
