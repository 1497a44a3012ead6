"""What each connection to a SQLite database of the Vault needs: indexes use its collation, searches its function."""

from __future__ import annotations

import sqlite3

from ctms.core.text.folding import FUNCTION, fold_text
from ctms.core.text.sorting import COLLATION, compare_texts


def support_texts(connection: sqlite3.Connection) -> None:
    """Give a connection the function that folds texts, and the order of texts in lists."""
    connection.create_function(FUNCTION, 1, fold_text, deterministic=True)
    connection.create_collation(COLLATION, compare_texts)
