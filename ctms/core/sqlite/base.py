"""Django's SQLite backend with the parameter limit that the library really has, and indexes that PostgreSQL has too.

Django 5.2 assumes 999 parameters a statement, the limit of SQLite before 3.32; a batch of 200 rows would take several
statements. The library at hand is asked instead. And indexes of SQLite refuse the words NULLS LAST, which downwards
means there anyhow: Django leaves them out where it is told that there are none.
"""

from __future__ import annotations

import sqlite3

from django.db.backends.sqlite3 import base, features
from django.utils.functional import cached_property


class DatabaseFeatures(features.DatabaseFeatures):
    supports_order_by_nulls_modifier = False

    @cached_property
    def max_query_params(self) -> int:  # type: ignore[override]
        with self.connection.temporary_connection() as cursor:
            limit: int = cursor.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        return limit


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
