"""Migration operations for searching and sorting texts on PostgreSQL. On SQLite the connection itself brings both.

Source: PostgreSQL manual, "Collation Support" and "normalize".
"""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError
from django.db.migrations.operations.base import Operation

from ctms.core.text.folding import DROPPED, FUNCTION, LETTERS, PAIRS, PLUS, SEPARATORS, TRUNK
from ctms.core.text.sorting import COLLATION, ICU_LOCALE

# What PostgreSQL has of its own where it was built without ICU, by its version: letters of all scripts have a lower
# case, and texts are in the order of their code points. Source: PostgreSQL manual, "Standard Collations".
_BUILTIN = {17: ("pg_c_utf8", "C.UTF-8"), 18: ("pg_unicode_fast", "PG_UNICODE_FAST")}


def _choose_letters(cursor: Any) -> tuple[str, str]:
    """Return the collation whose lower case letters have, and how `vault_sort` is defined, on this server.

    Raises NotSupportedError if it knows no letters but those of its operating system, which differ from host to host.
    """
    cursor.execute("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')")
    if cursor.fetchone()[0]:
        return "und-x-icu", f"provider = icu, locale = '{ICU_LOCALE}'"
    cursor.execute("SHOW server_version_num")
    version = min(int(cursor.fetchone()[0]) // 10_000, max(_BUILTIN))
    if version not in _BUILTIN:
        raise NotSupportedError(
            "This PostgreSQL was built without ICU, by which texts are searched and sorted. Use one that has it, as "
            "the images of Docker and the packages of the distributions have, or version 17 or later."
        )
    collation, locale = _BUILTIN[version]
    return collation, f"provider = builtin, locale = '{locale}'"


def _build_function(*, collation: str) -> str:
    letters = f"regexp_replace(normalize($1, NFKD), '{DROPPED}', '', 'g')"
    # Character by character as in Python would be slow; the one letter that differs by its place is in LETTERS.
    letters = f"regexp_replace(lower({letters} COLLATE \"{collation}\"), '{DROPPED}', '', 'g')"
    plain = ("".join(each).replace("'", "''") for each in (LETTERS, LETTERS.values()))
    letters = "translate({}, '{}', '{}')".format(letters, *plain)
    for letter, pair in PAIRS.items():
        letters = f"replace({letters}, '{letter}', '{pair}')"
    digits = "folded"
    for pattern, kept in ((TRUNK, r"\1"), (SEPARATORS, r"\1"), (PLUS, "")):
        digits = f"regexp_replace({digits}, '{pattern}', '{kept}', 'g')"
    # Most texts are plain, and most have no number with separators: a scan of the table folds them much faster so.
    return f"""
        CREATE OR REPLACE FUNCTION {FUNCTION}(text) RETURNS text
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $fold$
        DECLARE
            folded text;
        BEGIN
            IF octet_length($1) = char_length($1) THEN
                folded := translate(lower($1 COLLATE "C"), '`', '''');
            ELSE
                folded := {letters};
            END IF;
            IF folded ~ '[0-9][ ./()-]|[+][0-9]' THEN
                folded := {digits};
            END IF;
            RETURN folded;
        END
        $fold$
    """


def list_text_statements(cursor: Any) -> list[str]:
    """Return what creates the collation `vault_sort` and the function `vault_fold` on the server of the cursor.

    Raises NotSupportedError if the server knows no letters.
    """
    collation, definition = _choose_letters(cursor)
    return [f"CREATE COLLATION IF NOT EXISTS {COLLATION} ({definition})", _build_function(collation=collation)]


class _PostgreSQLOperation(Operation):
    reversible = True
    reduces_to_sql = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: it is not part of the models' state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        if schema_editor.connection.vendor == "postgresql":
            for statement in self.list_statements(app_label, schema_editor, to_state):
                schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del to_state
        if schema_editor.connection.vendor == "postgresql":
            for statement in self.list_reversing(app_label, schema_editor, from_state):
                schema_editor.execute(statement)

    def list_statements(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        raise NotImplementedError

    def list_reversing(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        raise NotImplementedError


class CreateTextSupport(_PostgreSQLOperation):
    """Creates the function `vault_fold` and the collation `vault_sort`.

    Of a PostgreSQL without ICU, which sorts by code points, they have what it has itself; `manage.py doctor` says so.
    """

    def list_statements(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        del app_label, state
        with schema_editor.connection.cursor() as cursor:
            return list_text_statements(cursor)

    def list_reversing(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        del app_label, schema_editor, state
        return [f"DROP FUNCTION IF EXISTS {FUNCTION}(text)", f"DROP COLLATION IF EXISTS {COLLATION}"]

    def describe(self) -> str:
        return "Texts are searched without accents and sorted as people look them up"


class AddFoldedIndex(_PostgreSQLOperation):
    """Creates an index that finds a folded text by any part of it, for look-ups such as `folded_contains`."""

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name, self.field_name = model_name, field_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name, self.field_name], {}

    def list_statements(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        model = state.apps.get_model(app_label, self.model_name)
        quote = schema_editor.quote_name
        column = quote(model._meta.get_field(self.field_name).column)
        table = quote(model._meta.db_table)
        expression = f"{FUNCTION}({column}::text) gin_trgm_ops"
        return [f"CREATE INDEX {quote(self._get_name(app_label))} ON {table} USING gin ({expression})"]

    def list_reversing(self, app_label: str, schema_editor: Any, state: Any) -> list[str]:
        del state
        return [f"DROP INDEX IF EXISTS {schema_editor.quote_name(self._get_name(app_label))}"]

    def describe(self) -> str:
        return f"Search {self.model_name} by any part of {self.field_name}, without accents and case"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name}_{self.field_name}_folded".lower()

    def _get_name(self, app_label: str) -> str:
        return f"{app_label}_{self.model_name}_{self.field_name}_folded".lower()
