"""How a text file is written: its encoding, its separator, and whether it has a header."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from twotower.ingest.sources.raw_text import MARKS, UNIT
from twotower.ingest.sources.text import SEPARATOR_LINE

SEPARATORS = ("\t", ";", "|", "::", ",", " ")
"""A space only if no other separates."""
LINES = 500
"""From which separator and header are told."""
MOST_ABOVE = 6
"""Lines above a table, such as its title."""
REGULAR = 0.9
"""Share of the lines that must have as many fields as the first."""
OLD_ENCODINGS = ("cp1252", "cp850", "mac_roman")
"""Of Western Europe: Windows, DOS and old Macintoshes; the first of the best is taken."""
LETTERS = frozenset(
    "áàâãäåæçéèêëíìîïñóòôõöœøúùûüýÿßÁÀÂÃÄÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÕÖŒØÚÙÛÜÝªº°€£¿¡«»“”…·®™"
    "\u2018\u2019\u2013\u2014"  # quotation marks and dashes
)
"""What text of the five languages has beside ASCII."""
NOT_ASCII = re.compile(r"([A-Za-z]?)([^\x00-\x7f])(?=([A-Za-z]?))")
ALONE = frozenset("ÀÁÈÉÊÌÍÒÓÔ")
"""Capital letters that may stand between blanks, digits or marks."""
FITTING, MOST_ACCENTS = 0.95, 0.4
"""Share of the characters beside ASCII that must be such; their share of all letters."""
VALUE = re.compile(r"[+-]?[0-9][0-9.,:/TZ +-]*")
"""A number or a date."""


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes:
        encoding: a codec of Python; "ascii" if that is all there is.
        separator: between fields; None: there is one field only.
        header: whether the first line names the columns.
        doubts: (key of the `data` section, sentence) of what is not sure.
        is_adjacency: whether it is adjacency lists.
        above: the first line, if the table begins further down; else "".
    """

    encoding: str
    separator: str | None
    header: bool
    doubts: tuple[tuple[str, str], ...] = ()
    is_adjacency: bool = False
    above: str = ""


def dialect_of(pieces: Sequence[bytes]) -> Dialect:
    """The dialect of a text file.

    Args:
        pieces: the beginning of the file, and further pieces that begin with a line.
    """
    encoding, encoding_doubt = encoding_of(pieces)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(pieces[0])
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    lines = [line for line in lines[: LINES + 1] if line.strip()][:LINES]
    if is_adjacency(lines):
        return Dialect(encoding, None, header=True, is_adjacency=True)
    declared = lines and SEPARATOR_LINE.fullmatch(lines[0].strip().encode())
    lines = lines[1:] if declared else lines
    separator = declared[1].decode() if declared else separator_of(lines)
    if separator is None and (below := _separator_below(lines)):
        if all(len(row) < 2 for row in rows_of(lines[:1], below)):
            return Dialect(encoding, None, header=True, above=lines[0].strip())
        separator = below  # rows have other numbers of fields than the header, which reading tells
    header, header_doubt = has_header(rows_of(lines, separator or ","))
    doubts = (("encoding", encoding_doubt), ("header", header_doubt))
    return Dialect(encoding, separator, header, tuple(pair for pair in doubts if pair[1]))


def encoding_of(pieces: Sequence[bytes]) -> tuple[str, str]:
    """(Encoding, doubt about it or "") of text; of a byte-order mark, that of the mark.

    Args:
        pieces: of the file, each beginning with a whole character, the first with the file.
    """
    mark = next((mark for mark in MARKS if pieces[0].startswith(mark)), None)
    if mark is not None:
        return MARKS[mark], ""
    start = pieces[0][:4096]
    if start.count(b"\0") > len(start) // 4:
        little = start[1::2].count(b"\0") > start[::2].count(b"\0")
        return "utf-16-le" if little else "utf-16-be", "UTF-16 without a byte-order mark"
    if all(piece.isascii() for piece in pieces):
        return "ascii", ""
    if all(_decodes(piece, "utf-8") for piece in pieces):
        return "utf-8", ""
    return _old_encoding(b"".join(pieces))


def separator_of(lines: Sequence[str]) -> str | None:
    """What separates the fields of these lines; None if nothing does.

    Most lines must have as many fields as the first one. Of several that do, that with more fields
    wins: in `a;1,5;2` the comma is a decimal mark.
    """
    best, most = None, 1
    for separator in SEPARATORS:
        counts = [len(row) for row in rows_of(lines, separator)]
        regular = sum(count == counts[0] for count in counts) if counts else 0
        if separator == " " and best is not None:
            break
        if counts and counts[0] > most and regular >= REGULAR * len(counts):
            best, most = separator, counts[0]
    return best


def is_adjacency(lines: Sequence[str]) -> bool:
    """Whether each line is a user and then any number of items, as graphs are written.

    Between white space there are whole numbers only, no two lines begin with the same, and they
    differ in length.
    """
    rows = [line.split() for line in lines]
    if not all(cell.isdigit() for row in rows for cell in row):
        return False
    lengths = {len(row) for row in rows}
    return len(lengths) > 2 and len({row[0] for row in rows}) == len(rows)


def _separator_below(lines: Sequence[str]) -> str | None:
    """What separates the lines that follow the first ones; None if nothing does."""
    rests = (lines[skip:] for skip in range(1, MOST_ABOVE) if len(lines) > skip + 1)
    separators = (separator_of(rest) for rest in rests)
    return next((each for each in separators if each not in (None, " ")), None)


def has_header(rows: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """(Whether the first row names the columns, doubt about it or "").

    No column is called like a number or a date, and where those are below a text, it is a name. A
    row above text only names columns if none of its cells comes again.
    """
    if not rows:
        return True, ""
    first, rest = rows[0], [row for row in rows if row != rows[0]]
    if any(map(_is_value, first)):
        return False, ""
    columns = [[row[i] for row in rest if len(row) > i] for i in range(len(first))]
    if any(cells and all(map(_is_value, cells)) for cells in columns):
        return True, _repeated(len(rows) - len(rest))
    filled = [cell for cell in first if cell.strip()]
    if len(set(filled)) < len(filled):
        return False, "two cells of the first row are equal, so it was taken for data"
    pairs = zip(first, columns, strict=True)
    if any(cell.strip() and cell in values for cell, values in pairs):
        return False, "a cell of the first row comes again further down, so it was taken for data"
    return True, _repeated(len(rows) - len(rest))


def _is_value(cell: str) -> bool:
    return VALUE.fullmatch(cell.strip()) is not None


def _repeated(times: int) -> str:
    return "the header comes again further down: delete it there" if times > 1 else ""


def rows_of(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The fields of each line that is not blank."""
    if len(separator) > 1:
        lines = [line.replace(separator, UNIT.decode()) for line in lines]
        separator = UNIT.decode()
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:  # a stray quotation mark: this cannot be the separator
        return []


def _decodes(piece: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(piece)
    except UnicodeDecodeError:
        return False
    return True


def _old_encoding(data: bytes) -> tuple[str, str]:
    """The encoding by which most characters beside ASCII are such as Western Europe writes."""
    shares = {encoding: _share_fitting(data, encoding) for encoding in OLD_ENCODINGS}
    best, second = sorted(shares, key=lambda encoding: -shares[encoding])[:2]
    num_high = len(re.findall(rb"[\x80-\xff]", data))
    letters = len(re.findall(rb"[A-Za-z\x80-\xff]", data))
    doubt = ""
    if shares[best] <= FITTING or num_high >= MOST_ACCENTS * letters:
        doubt = f"no encoding of Western Europe fits well; {best} was taken"
    elif shares[second] > FITTING:
        doubt = f"{best} was taken, but {second} fits as well"
    if best == "cp1252" and not _decodes(data, best):
        return "latin-1", doubt
    return best, doubt


def _share_fitting(data: bytes, encoding: str) -> float:
    """Share of the characters beside ASCII that are usual, and usual where they are."""
    found = Counter(NOT_ASCII.findall(data.decode(encoding, errors="replace")))
    return sum(count for each, count in found.items() if _fits(*each)) / found.total()


def _fits(before: str, char: str, after: str) -> bool:
    """Whether a character is usual between its neighbours, each "" if it is no ASCII letter."""
    if char not in LETTERS or (char.isupper() and before.islower()):
        return False
    if char == "ß":
        return before in "aeiouy"  # or after an umlaut
    if not char.isalpha():
        return char == "\u2019" or not (before and after)  # an apostrophe
    return bool(before or after) or char.islower() or char in ALONE
