"""Django's SQLite backend with the parameter limit that the library really has, and indexes that PostgreSQL has too.

Django 5.2 assumes 999 parameters a statement, the limit of SQLite before 3.32; a batch of 200 rows would take several
statements. Here the limit is read from the library. SQLite also refuses NULLS LAST in an index; its descending indexes
have nulls last anyway, and Django leaves the words out if the backend says that it does not support them. Folding and
order of texts, which PostgreSQL has as a function and a collation, are given to each connection.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base, features
from django.utils.functional import cached_property

from ctms.core.sqlite.texts import support_texts


class DatabaseFeatures(features.DatabaseFeatures):
    supports_order_by_nulls_modifier = False

    @cached_property
    def max_query_params(self) -> int:  # type: ignore[override]
        with self.connection.temporary_connection() as cursor:
            limit: int = cursor.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        return limit


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        support_texts(connection)
        return connection
