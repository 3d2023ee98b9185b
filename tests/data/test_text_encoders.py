import numpy as np
import pytest

from twotower.common.errors import ConfigError
from twotower.config import parse_config
from twotower.data.text_encoders import (
    BUCKETS,
    fit_ngrams,
    model_digest,
    ngram_rows,
    principal_axes,
    project,
)

SHELF = ["red wool scarf", "blue wool hat", "oak desk", "oak desk lamp"]


def vectors(texts: list[str], dims: int = 64, fitted: list[str] | None = None) -> np.ndarray:
    fitted = texts if fitted is None else fitted
    terms = fit_ngrams(fitted)
    axes = principal_axes(ngram_rows(fitted, terms, "", None), dims)
    return project(ngram_rows(texts, terms, "", None), axes)


def test_tfidf_by_hand() -> None:
    # char_wb pads a word with blanks: "ab" has " a", "ab", "b ", " ab", "ab ", " ab " once each.
    terms = fit_ngrams(["ab", "ab ab", ""])
    assert len(terms.buckets) == 6
    assert terms.idf == pytest.approx(np.log(4 / 3) + 1)
    row = ngram_rows(["ab ab"], terms, "", None).toarray()[0]
    assert row == pytest.approx(np.full(6, 6**-0.5))


def test_a_rare_piece_weighs_more() -> None:
    terms = fit_ngrams(["aa", "aa", "zz"])
    in_common = set(fit_ngrams(["aa"]).buckets)
    weights = {
        bucket in in_common: idf for bucket, idf in zip(terms.buckets, terms.idf, strict=True)
    }
    assert weights[False] > weights[True]


def test_texts_alike_lie_close() -> None:
    scarf, hat, desk, lamp = vectors(SHELF, dims=2)
    assert scarf @ hat > 0.9
    assert desk @ lamp > 0.9
    assert abs(scarf @ desk) < 0.3


@pytest.mark.parametrize(
    ("one", "other", "else_"),
    [
        ("羊毛围巾", "羊毛帽子", "橡木书桌"),  # no blanks between words
        ("шерстяной шарф", "шерстяная шапка", "дубовый стол"),
        ("\uff37OOL scarf", "wool hat", "oak desk"),
        ("headphones", "haedphones", "bookcase"),
        ("747", "747 400", "320"),
    ],
)
def test_it_works_in_any_script_and_with_slips(one: str, other: str, else_: str) -> None:
    first, second, third = vectors([one, other, else_])
    assert first @ second > first @ third + 0.1


@pytest.mark.parametrize(
    ("texts", "width"),
    [([], 1), (["one item"], 1), (["the same"] * 5, 1), (["a", "b"], 2), (SHELF, 4)],
)
def test_there_are_no_more_dimensions_than_texts_span(texts: list[str], width: int) -> None:
    found = vectors(texts)
    assert found.shape == (len(texts), width)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(texts)))


def test_a_text_of_which_nothing_is_known_is_zero() -> None:
    assert not vectors(["", "###", "Ω"], fitted=SHELF).any()
    assert not vectors(["oak"], fitted=[]).any()


def test_the_same_texts_give_the_same_bytes() -> None:
    assert vectors(SHELF, 2).tobytes() == vectors(list(SHELF), 2).tobytes()


def test_the_axes_are_those_of_a_full_decomposition() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 12)) * np.linspace(3, 0.1, 12)
    axes = principal_axes(rows, 5)
    _, _, expected = np.linalg.svd(rows, full_matrices=False)
    assert np.abs(axes.T @ expected[:5].T) == pytest.approx(np.eye(5), abs=1e-4)


def test_buckets_bound_what_is_kept() -> None:
    assert fit_ngrams(SHELF).buckets.max() < BUCKETS


@pytest.mark.parametrize(
    ("encoder", "rule"),
    [
        ("word2vec", "must be one of tfidf, sentence-transformers, got 'word2vec'"),
        ("sentence-transformers", "must be sentence-transformers:NAME"),
        ("sentence-transformers: ", "must be sentence-transformers:NAME"),
        ("tfidf:x", "must be tfidf alone, got 'tfidf:x'"),
    ],
)
def test_an_encoder_that_there_is_not_is_refused(encoder: str, rule: str) -> None:
    raw = {"data": {"items": {"features": {"name": {"kind": "text", "encoder": encoder}}}}}
    with pytest.raises(ConfigError, match=rule):
        parse_config(raw)


def test_a_model_is_what_its_folder_holds(tmp_path) -> None:
    assert model_digest("") == model_digest(str(tmp_path / "hub-name")) == ""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights").write_bytes(b"1")
    before = model_digest(str(tmp_path))
    (tmp_path / "sub" / "weights").write_bytes(b"2")
    assert "" != model_digest(str(tmp_path)) != before
