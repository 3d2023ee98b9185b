"""Bytes and texts as accidents and attackers leave them."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

ODD_TEXTS = (
    "", " ", "\t", "\0", "\ufeff", "\u200b", "\u2028", "\x1f", "\x85", '"', "'", "\\", "\\N", "|",
    ";", ",", "\r", "\n", "#", "=1+1", "../x", "é", "e\u0301", "ß", "日本", "🙂", "\u202e", "ﷺ",
    "ﬁ", "İ", "NaN", "nan", "inf", "-inf", "null", "None", "true", "-0", "+5", "007", "1e5",
    "1e400", "0x10", "1_000", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "1.0", "1.5", "1,5", "1.234.567", "2024-01-01", "2026-13-45", "٣", "Ⅷ", "9" * 400,
)  # fmt: skip
"""Values that have broken programs: signs, numbers and dates beyond their range, other scripts."""


def odd_texts() -> SearchStrategy[str]:
    """One of `ODD_TEXTS`, or any short text without surrogates."""
    any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    return st.sampled_from(ODD_TEXTS) | any_text


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Some bytes cut off, changed, left out, repeated or put in; often none."""
    data = whole
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 4)))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, min(40, len(data) - place)))
        before, inside, after = data[:place], data[place : place + length], data[place + length :]
        new = draw(st.binary(max_size=4) | odd_texts().map(str.encode))
        ways = (
            before,
            after,
            before + after,
            before + inside * 2 + after,
            before + new + after,
            before + new + inside + after,
        )
        data = draw(st.sampled_from(ways))
    return data
