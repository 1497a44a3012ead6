"""Words for yes and no."""

from __future__ import annotations

import pytest

from ctms.records.fields import yes_no_words
from ctms.records.fields.yes_no_words import read_yes_no


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "Y",
        "TRUE",
        "1",
        "x",
        "✓",
        "ja",
        "WAHR",
        "oui",
        "VRAI",
        "Sí",
        "si",
        "VERDADERO",
        "tak",
        "ano",
        "igen",
        "はい",
    ],
)
def test_yes_in_the_languages_of_the_vault(word: str) -> None:
    assert read_yes_no(f" {word} ") is True


@pytest.mark.parametrize(
    "word", ["no", "N", "False", "0", "nein", "FALSCH", "non", "FAUX", "não", "nie", "FAŁSZ", "ne", "nem", "いいえ"]
)
def test_no_in_the_languages_of_the_vault(word: str) -> None:
    assert read_yes_no(word) is False


@pytest.mark.parametrize("word", ["", "perhaps", "2", "yes please", "n/a"])
def test_other_words_are_neither(word: str) -> None:
    assert read_yes_no(word) is None


def test_no_word_means_both() -> None:
    assert set() == yes_no_words.ALL_YES & yes_no_words.ALL_NO
