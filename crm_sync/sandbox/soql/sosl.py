"""SOSL: the text of a search, the words that it looks for, and the objects and fields that it returns.

Source: the chapter "SOSL Syntax" of the SOQL and SOSL Reference. Words are looked for as wholes, in any case and in any
field of the record; `*` stands for any letters at the end or in the middle of a word and `?` for one. Between words
without an operator AND is meant; `AND` and `AND NOT` bind closer than `OR`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crm_sync.sandbox.errors import ApiError

Matcher = Callable[[Sequence[str]], bool]

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|(?:[^\s()"\\]|\\.)+', re.DOTALL)
ESCAPED = re.compile(r"\\.", re.DOTALL)
FIND = re.compile(r"\s*FIND\s*\{((?:[^}\\]|\\.)*)\}", re.IGNORECASE | re.DOTALL)
FIELD_GROUP = re.compile(r"\s+IN\s+(ALL|NAME|EMAIL|PHONE|SIDEBAR)\s+FIELDS\b", re.IGNORECASE)
RETURNING = re.compile(r"\s+RETURNING\s+", re.IGNORECASE)
TARGET = re.compile(r"\s*([A-Za-z]\w*)\s*")
LIMIT = re.compile(r"\s+LIMIT\s+(\d+)\b", re.IGNORECASE)
# Clauses that say how words are marked and compared, and change none of the records found.
IGNORED = re.compile(
    r"\s+(WITH\s+\w+\s*=\s*\S+|UPDATE\s+(TRACKING|VIEWSTAT)(\s*,\s*(TRACKING|VIEWSTAT))?)", re.IGNORECASE
)
CLAUSES = re.compile(r"\b(?:WHERE|ORDER\s+BY|LIMIT|OFFSET|USING)\b", re.IGNORECASE)
MIN_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Target:
    """An object to be searched: its name, the fields wanted, and further clauses as SOQL has them after FROM."""

    name: str
    fields: str = "Id"
    clauses: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A search. Without `targets`, all objects are meant."""

    text: str
    group: str = "ALL"
    targets: tuple[Target, ...] = ()
    limit: int | None = None


def malformed(message: str) -> ApiError:
    """Return the error for a search that cannot be read."""
    return ApiError("MALFORMED_SEARCH", message)


def parse_search(text: str) -> Search:
    """Return the search that a SOSL text asks for. Raises ApiError `MALFORMED_SEARCH`."""
    found = FIND.match(text)
    if found is None:
        raise malformed("No search term found. The search term must be enclosed in braces.")
    position = found.end()
    group = "ALL"
    named = FIELD_GROUP.match(text, position)
    if named is not None:
        group, position = named.group(1).upper(), named.end()
    targets: tuple[Target, ...] = ()
    returning = RETURNING.match(text, position)
    if returning is not None:
        targets, position = read_targets(text, returning.end())
    limit = None
    while position < len(text.rstrip()):
        clause = LIMIT.match(text, position)
        if clause is not None:
            limit = int(clause.group(1))
        clause = clause or IGNORED.match(text, position)
        if clause is None:
            raise malformed(f"unexpected token: '{text[position:].split(maxsplit=1)[0]}'")
        position = clause.end()
    return Search(found.group(1), group, targets, limit)


def read_targets(text: str, position: int) -> tuple[tuple[Target, ...], int]:
    """Return the objects after RETURNING, and where they end."""
    targets = []
    while True:
        found = TARGET.match(text, position)
        if found is None:
            raise malformed("RETURNING needs the name of an object")
        position = found.end()
        inside = ""
        if text[position : position + 1] == "(":
            end = find_closing(text, position)
            inside, position = text[position + 1 : end], end + 1
        else:
            position = found.start() + len(found.group(0).rstrip())
        targets.append(make_target(found.group(1), inside))
        comma = re.compile(r"\s*,").match(text, position)
        if comma is None:
            return tuple(targets), position
        position = comma.end()


def make_target(name: str, inside: str) -> Target:
    """Return an object with what stands in its parentheses, such as `Id, Name WHERE Phone = '1' LIMIT 5`."""
    clauses = CLAUSES.search(inside)
    fields = (inside[: clauses.start()] if clauses else inside).strip()
    return Target(name, fields or "Id", inside[clauses.start() :].strip() if clauses else "")


def find_closing(text: str, opening: int) -> int:
    """Return where the parenthesis closes that opens at `opening`; those inside quoted strings do not count."""
    depth = 0
    for found in re.compile(r"'(?:[^'\\]|\\.)*'|[()]", re.DOTALL).finditer(text, opening):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if depth == 0:
            return found.start()
    raise malformed("missing ')'")


# -- what is looked for -------------------------------------------------------------------------------


def compile_words(text: str) -> Matcher:
    """Return whether the values of a record match the text between the braces. Raises ApiError `MALFORMED_SEARCH`."""
    tokens = TOKEN.findall(text)
    letters = re.sub(r"[^\w]|_", "", " ".join(token for token in tokens if token.upper() not in {"AND", "OR", "NOT"}))
    if len(letters) < MIN_LETTERS:
        raise malformed(f"search term must be longer than one character: {text.strip()}")
    reader = WordReader(tokens)
    matcher = reader.read_either()
    if reader.tokens:
        raise malformed(f"unexpected token: '{reader.tokens[0]}'")
    return matcher


@dataclass(slots=True)
class WordReader:
    """Reads words, phrases, operators and parentheses from the front of `tokens`."""

    tokens: list[str]

    def next_is(self, *words: str) -> bool:
        """Whether the next tokens are these words, which are then taken."""
        ahead = tuple(token.upper() for token in self.tokens[: len(words)])
        if ahead != words:
            return False
        del self.tokens[: len(words)]
        return True

    def read_either(self) -> Matcher:
        """Return what matches terms joined by OR."""
        choices = [self.read_all()]
        while self.next_is("OR"):
            choices.append(self.read_all())
        return choices[0] if len(choices) == 1 else lambda values: any(choice(values) for choice in choices)

    def read_all(self) -> Matcher:
        """Return what matches terms joined by AND, by AND NOT, or by nothing."""
        wanted = [self.read_term()]
        while self.tokens and self.tokens[0].upper() not in {"OR", ")"}:
            if self.next_is("AND", "NOT"):
                wanted.append(negate(self.read_term()))
                continue
            self.next_is("AND")
            wanted.append(self.read_term())
        return lambda values: all(each(values) for each in wanted)

    def read_term(self) -> Matcher:
        """Return what matches a word, a phrase, or what stands in parentheses."""
        if self.next_is("("):
            matcher = self.read_either()
            if not self.next_is(")"):
                raise malformed("missing ')'")
            return matcher
        if not self.tokens or self.tokens[0].upper() in {")", "AND", "OR"}:
            raise malformed("a search term is missing")
        return match_phrase(self.tokens.pop(0))


def negate(matcher: Matcher) -> Matcher:
    """Return what matches where `matcher` does not."""
    return lambda values: not matcher(values)


def match_phrase(token: str) -> Matcher:
    """Return what matches the words of a token, one after the other, in one of the values."""
    patterns = [
        "".join({"*": r"\w*", "?": r"\w"}.get(part, re.escape(part)) for part in re.split(r"([*?])", word) if part)
        for word in re.findall(r"[\w*?]+", ESCAPED.sub(" ", token))
    ]
    if not patterns:
        return lambda _values: True
    pattern = re.compile(r"(?<!\w)" + r"\W+".join(patterns) + r"(?!\w)", re.IGNORECASE)
    return lambda values: any(pattern.search(value) for value in values)
