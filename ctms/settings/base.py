"""Settings that all installations share, a module for each concern. Values that differ come from the environment.

`manage.py create_encryption_key --settings ctms.settings.base` needs nothing else.
"""

from ctms.settings.api import *  # noqa: F403  settings modules build on one another
from ctms.settings.applications import *  # noqa: F403
from ctms.settings.console import *  # noqa: F403
from ctms.settings.database import *  # noqa: F403
from ctms.settings.environment import env as env  # noqa: PLC0414  other settings read variables, too
from ctms.settings.logs import *  # noqa: F403
from ctms.settings.mail import *  # noqa: F403
from ctms.settings.names import *  # noqa: F403
from ctms.settings.paths import *  # noqa: F403
from ctms.settings.people import *  # noqa: F403
from ctms.settings.queue import *  # noqa: F403
from ctms.settings.retention import *  # noqa: F403
from ctms.settings.security import *  # noqa: F403
from ctms.settings.transfer import *  # noqa: F403

IS_PRODUCTION = False
