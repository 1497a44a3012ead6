"""Texts: what is put right, what is refused, and what is left out where nobody can be asked."""

from __future__ import annotations

import pytest

from ctms.core.text.characters import explain_unfit, normalise_text, tidy_text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Zoe\u0308", "Zoë"),
        ("Ann\xa0Smith", "Ann Smith"),
        ("山田\u3000太郎", "山田 太郎"),
        ("\xa0Ann\u2009", "Ann"),
        ("Fach\xadarzt", "Facharzt"),
        ("Ann\r\nSmith", "Ann Smith"),
        ("Ann\tSmith", "Ann Smith"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("👩\u200d⚕\ufe0f", "👩\u200d⚕\ufe0f"),
        (" Ann ", " Ann "),
    ],
)
def test_what_is_harmless_is_put_right(typed: str, kept: str) -> None:
    assert normalise_text(typed, has_lines=False) == kept
    assert explain_unfit(kept, has_lines=False) == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Mül\u200bler", "an invisible character (zero width space, U+200B) after “Mül”"),
        ("\ufeffAnn", "an invisible character (zero width no-break space, U+FEFF) at the beginning"),
        ("a\u202eb", "an invisible character (right-to-left override, U+202E) after “a”"),
        ("An\u200dn", "an invisible character (zero width joiner, U+200D) after “An”"),
        ("Ann\x07", "a control character (U+0007) after “Ann”"),
        ("Ann\x9f", "a control character (U+009F) after “Ann”"),
        ("Ann\x00", "a null character after “Ann”"),
        ("Ann\ud800", "half a character (U+D800) after “Ann”"),
    ],
)
def test_what_nobody_sees_is_refused_with_its_name_and_place(text: str, named: str) -> None:
    text = normalise_text(text, has_lines=False)
    assert explain_unfit(text, has_lines=False) == f"There is {named}. Delete it, or type that part again."
    assert explain_unfit(tidy_text(text, has_lines=False), has_lines=False) == ""


def test_a_long_text_keeps_its_lines_and_its_directions() -> None:
    text = "First\r\n\tsecond \u200f\u05e9\u05dc\u05d5\u05dd\u200e"
    assert tidy_text(text, has_lines=True) == text
    assert tidy_text("a\u2028b\x0bc", has_lines=True) == "a\nb\nc"


def test_a_long_text_loses_what_has_no_width_and_refuses_controls() -> None:
    assert normalise_text("copied\u200b from\ufeff the web", has_lines=True) == "copied from the web"
    assert "control character (U+0008) after “second”" in explain_unfit("first\nsecond\x08", has_lines=True)
    assert "right-to-left override" in explain_unfit("a\u202eb", has_lines=True)


def test_tidying_twice_changes_nothing_more() -> None:
    for text in ("\xa0\u200b x", "a\u200c\u0308b", "e\u200b\u0301", "\ufeff\xadA\u030a"):
        once = tidy_text(text, has_lines=False)
        assert tidy_text(once, has_lines=False) == once
