"""Settings for one machine without services, the default: SQLite in WAL mode and a Celery queue of files, in `var/`."""

from ctms.core.embedded_secrets import load_or_create_secrets, make_private_folder
from ctms.core.errors import EncryptionKeyError
from ctms.settings.base import *  # noqa: F403  settings modules build on one another
from ctms.settings.base import VAR_DIR, build_logging, env
from ctms.settings.choice import refuse_half_a_production
from ctms.settings.servers import parse_email_url
from ctms.settings.values import parse_origins

DEBUG = env.boolean("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
vars().update(
    env.read(
        "EMAIL_URL",
        parse_email_url,
        default={
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": VAR_DIR / "mail",
        },
        is_secret=True,
    )
)
CRM_SANDBOX_ORIGINS = env.read(
    "CRM_SANDBOX_ORIGINS",
    parse_origins,
    default={"na.crm.test": "http://127.0.0.1:8101", "emea.crm.test": "http://127.0.0.1:8102"},
)
refuse_half_a_production()
env.judge()  # before anything is made in the folder, which may be the wrong one

try:
    make_private_folder(VAR_DIR)  # it holds the database, mails and the queue
    for _folder in ("queue", "queue-control"):
        (VAR_DIR / _folder).mkdir(exist_ok=True)
    _secrets = load_or_create_secrets(path=VAR_DIR / "secrets.json")
except OSError as _error:
    env.refuse(
        "VAULT_VAR_DIR",
        f"This user cannot write there ({_error.strerror}). Name a folder of yours, or make room.",
        value=str(VAR_DIR),
    )
except EncryptionKeyError as _error:
    env.refuse("VAULT_VAR_DIR", str(_error), value=str(VAR_DIR))
env.judge()

SECRET_KEY = _secrets["secret_key"]
FIELD_ENCRYPTION_KEYS: list[str] = [_secrets["field_encryption_key"]]

DATABASES = {
    "default": {
        "ENGINE": "ctms.core.sqlite",
        "NAME": VAR_DIR / "vault.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 60,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-64000;",
        },
    }
}

CELERY_BROKER_URL = "filesystem://localhost"
CELERY_BROKER_TRANSPORT = "ctms.jobs.file_broker:Transport"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": VAR_DIR / "queue",
    "data_folder_out": VAR_DIR / "queue",
    "control_folder": VAR_DIR / "queue-control",
    "store_processed": False,
}

REQUEST_LOG = VAR_DIR / "requests.log"
LOGGING = build_logging(renderer="console", request_log=REQUEST_LOG)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # static files are served from the source folders, without `collectstatic`
