"""Users, passwords, sessions, log-in."""

from __future__ import annotations

from ctms.settings.environment import env
from ctms.settings.values import parse_issuer

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["ctms.accounts.backends.PasswordBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# A session ends so long after its last use, and so long after the log-in.
SESSION_ENGINE = "ctms.accounts.sessions"
# Use is noted once a minute, so that a session of one minute would end while it is used.
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", default=30, least=2)
SESSION_LIFETIME_HOURS = env.integer("SESSION_LIFETIME_HOURS", default=12, least=1, most=8760)
SESSION_COOKIE_AGE = SESSION_LIFETIME_HOURS * 60 * 60  # the server ends sessions; no cookie lives longer
INVITATION_DAYS = env.integer("INVITATION_DAYS", default=7, least=1, most=365)
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
# Wrong passwords of one username from one address, and of all usernames from one address, within so many minutes.
LOGIN_FAILURES = env.integer("LOGIN_FAILURES", default=5, least=1)
LOGIN_FAILURES_PER_ADDRESS = env.integer("LOGIN_FAILURES_PER_ADDRESS", default=50, least=1)
LOGIN_LOCKOUT_MINUTES = env.integer("LOGIN_LOCKOUT_MINUTES", default=15, least=1)
if LOGIN_FAILURES > LOGIN_FAILURES_PER_ADDRESS:
    env.refuse(
        "LOGIN_FAILURES_PER_ADDRESS",
        f"Give at least as many as LOGIN_FAILURES, which is {LOGIN_FAILURES}: they count for all usernames together.",
        value=str(LOGIN_FAILURES_PER_ADDRESS),
    )

# Whether users may (optional), must (required) or cannot (off) have a second factor: an authenticator app.
TOTP = env.choice("TOTP", ("off", "optional", "required"), default="off")

# Log-in through an OpenID Connect provider, beside passwords; off without an issuer.
OIDC_ISSUER = env.read("OIDC_ISSUER", parse_issuer, default="")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET", is_secret=True)
OIDC_NAME = env.text("OIDC_NAME", default="single sign-on")
# API name of the security profile of users whom the Vault does not know yet; empty: they are not let in.
OIDC_SECURITY_PROFILE = env.text("OIDC_SECURITY_PROFILE")
if OIDC_ISSUER and not OIDC_CLIENT_ID:
    env.refuse("OIDC_CLIENT_ID", "OIDC_ISSUER is set: give the id under which the provider knows the Vault as well.")
if OIDC_ISSUER and not OIDC_CLIENT_SECRET and not env.has("OIDC_CLIENT_SECRET"):
    env.refuse("OIDC_CLIENT_SECRET", "OIDC_ISSUER is set: give the secret that goes with OIDC_CLIENT_ID as well.")
