import pytest

from twotower.inspection.dialect import (
    dialect_of,
    encoding_of,
    has_header,
    is_adjacency,
    rows_of,
    separator_of,
)

WESTERN = "Año;Müller;Gonçalves;où;Straße;«ça»;nº 5\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain", "ascii"),
        (WESTERN.encode(), "utf-8"),
        ("é".encode() + "é".encode()[:1], "utf-8"),
        ("\ufeffa;b".encode(), "utf-8"),
        (WESTERN.encode("latin-1"), "cp1252"),
        ("12 € each\n".encode("cp1252"), "cp1252"),
        (3 * WESTERN.encode("latin-1") + b"\x81", "latin-1"),  # which cp1252 lacks
        (WESTERN.encode("cp850"), "cp850"),
        (WESTERN.encode("mac_roman"), "mac_roman"),
        (WESTERN.encode("utf-16"), "utf-16"),
        ("a;b\n1;2\n".encode("utf-16-be"), "utf-16-be"),
        ("a;b\n1;2\n".encode("utf-16-le"), "utf-16-le"),
    ],
)
def test_encoding(data: bytes, encoding: str) -> None:
    found, doubt = encoding_of([data])
    assert found == encoding
    assert bool(doubt) == encoding.startswith("utf-16-")


@pytest.mark.parametrize(
    ("text", "encoding", "found", "unsure"),
    [
        ("José0,Peña1", "mac_roman", "mac_roman", False),  # by cp850 JosÄ
        ("José0,Peña1", "cp850", "cp850", False),
        ("José0,Peña1", "latin-1", "cp1252", False),
        ("un été; le Noël", "cp850", "cp850", False),
        ("Málaga", "latin-1", "cp1252", False),
        ("São Paulo", "cp1252", "cp1252", True),  # by cp850 SÒo
        ("Málaga", "mac_roman", "cp850", True),  # Mçlaga,
    ],
)
def test_old_encodings_of_few_accents(text: str, encoding: str, found: str, unsure: bool) -> None:
    best, doubt = encoding_of([text.encode(encoding)])
    assert (best, bool(doubt)) == (found, unsure)


def test_an_encoding_that_fits_badly_is_a_doubt() -> None:
    assert encoding_of(["заказ;клиент".encode("cp1251")])[1]


def test_a_late_accent_counts() -> None:
    assert encoding_of([b"a,b\n1,2\n", "3,é\n".encode("latin-1")])[0] == "cp1252"


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["a,b", "1,2"], ","),
        (["a;b", "1;2,5", "3;4,5"], ";"),
        (["a;b;c", "1;1,5;2,5", "3;4,5;1,0"], ";"),
        (["a\tb", "1\t2 3"], "\t"),
        (["1::Toy (1995)::A|B", "2::It::A"], "::"),
        (["a|b", "1|x;y", "2|x"], "|"),
        (["1 2 3", "4 5 6"], " "),
        (["day,who", "2024-01-01 10:00,x"], ","),
        (['a,b,c', '1,"x, y",2', '2,"z",3'], ","),
        (["userId,genres", "1,A|B", "2,A"], ","),
        (["name", "x y", "z"], None),
        ([], None),
    ],
)  # fmt: skip
def test_separator(lines: list[str], separator: str | None) -> None:
    assert separator_of(lines) == separator


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["user", "item"], ["1", "2"]], True),
        ([["1", "2"], ["1", "3"]], False),
        ([["ann", "2024-01-01"], ["bo", "2024-01-02"]], False),
        ([["ann", "pen"], ["bo", "pen"]], False),  # `pen` comes again
        ([["ann", "pen"], ["bo", "cup"]], True),  # nothing tells
        ([["", "user"], ["0", "7"]], True),  # of pandas
        ([["u", "i"], ["1", "2"], ["u", "i"]], True),
        ([["u", "i", ""], ["1", "2", ""]], True),  # a separator at the end of each line
        ([["a", "a"], ["b", "c"]], False),
        ([["day", "day"], ["1", "x"], ["2", "x"]], True),  # a name above numbers
        ([["ann", "pen"], ["bo", "pen"], ["ann", "pen"]], False),  # an event of every day
        ([], True),
    ],
)
def test_header(rows: list[list[str]], header: bool) -> None:
    assert has_header(rows)[0] == header


def test_a_repeated_header_is_a_doubt() -> None:
    assert "comes again" in has_header([["u", "i"], ["1", "2"], ["u", "i"]])[1]


def test_adjacency_lists() -> None:
    assert is_adjacency(["0 1 2", "1 3", "2 4 5 6"])
    assert not is_adjacency(["0 1", "1 3", "2 4"])
    assert not is_adjacency(["0 1 2", "0 3", "2 4 5 6"])  # a user twice
    assert not is_adjacency(["a 1 2", "b 3", "c 4 5 6"])


def test_rows_of_several_characters_and_stray_quotes() -> None:
    assert rows_of(['1::"a::b"::2'], "::") == [["1", "a\x1fb", "2"]]
    assert separator_of(['a,b', '1,"x" y', "2,z"]) == ","  # fmt: skip


def test_lines_above_the_table() -> None:
    assert dialect_of([b"Sales of 2025\n\na;b\n1;2\n3;4\n"]).above == "Sales of 2025"
    assert dialect_of([b"name\nx y\nz\n"]).above == ""


def test_a_header_with_fewer_fields_than_rows_is_one() -> None:
    dialect = dialect_of([b"a,b\n1,2,\n3,4,\n"])
    assert (dialect.separator, dialect.header, dialect.above) == (",", True, "")


def test_a_line_that_tells_the_separator_is_no_header() -> None:
    dialect = dialect_of([b"sep=;\na;b\n1;2\n3;4\n"])
    assert (dialect.separator, dialect.header, dialect.above) == (";", True, "")
    assert dialect_of([b"sep=,\n1,2\n1,3\n"]).header is False


def test_the_whole() -> None:
    dialect = dialect_of(["cliente;año\n1;2025\n2;2024\n".encode("latin-1")])
    assert (dialect.encoding, dialect.separator, dialect.header) == ("cp1252", ";", True)
    assert dialect.doubts == ()
    assert dialect_of([b"1,2\n1,3\n"]).header is False
