"""The texts that a workbook keeps once for many cells: how long they are, and all cells with them.

A text of a million letters takes a thousand bytes of an archive, and a cell that has it another few.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import IO, Any
from xml.parsers import expat


def list_lengths(stream: IO[bytes]) -> Sequence[int]:
    """Return the characters of each shared text in the XML of a workbook. Raises ExpatError."""
    lengths = array("Q")

    def begin(name: str, _: dict[str, str]) -> None:
        if _get_kind(name) == "si":
            lengths.append(0)

    def count(text: str) -> None:
        if lengths:
            lengths[-1] += len(text)

    parser = _build_parser()
    parser.StartElementHandler, parser.CharacterDataHandler = begin, count
    parser.ParseFile(stream)
    return lengths


def count_shared(stream: IO[bytes], *, lengths: Sequence[int]) -> int:
    """Return the characters of all cells of a sheet whose text is a shared one. Raises ExpatError."""
    total = 0
    is_shared = False
    number: list[str] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_shared
        kind = _get_kind(name)
        if kind == "c":
            is_shared = attributes.get("t") == "s"
        elif kind == "v" and is_shared:
            number.clear()
            parser.CharacterDataHandler, parser.EndElementHandler = number.append, end

    def end(_: str) -> None:
        nonlocal total
        parser.CharacterDataHandler = parser.EndElementHandler = None
        text = "".join(number).strip()
        if text.isdecimal() and int(text) < len(lengths):
            total += lengths[int(text)]

    parser = _build_parser()
    parser.StartElementHandler = begin
    parser.ParseFile(stream)
    return total


def _build_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: Any) -> None:
    raise expat.ExpatError("a workbook declares no entities")


def _get_kind(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name[name.find(":") + 1 :]
