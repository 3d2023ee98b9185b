"""What turns texts into vectors: hashed n-grams or a sentence encoder, then fewer dimensions."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twotower.common.arrays import Float32Array, Float64Array, Int64Array
from twotower.common.choices import Table, lazy
from twotower.common.files import sha256_file, sha256_text

NGRAMS = (2, 4)
"""Lengths in characters: pieces of words work in any language and script."""
BUCKETS = 2**16
"""That n-grams are hashed to; it bounds what a model has to keep."""
MOST_FITTED = 100_000
"""Texts from which terms and axes are learned, evenly spaced among more."""
NOISE = 1e-5
"""Length, as a share of the largest, that rounding alone may give."""


@dataclass(frozen=True)
class Terms:
    """Hashed n-grams that occur in the training split's texts.

    Attributes:
        buckets: [num_terms] int64 their hashes, ascending.
        idf: [num_terms] float32 their inverse document frequencies.
    """

    buckets: Int64Array
    idf: Float32Array


NO_TERMS = Terms(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
"""Of a sentence encoder."""


@dataclass(frozen=True)
class TextEncoder:
    """A way to encode texts.

    Attributes:
        name: its value of `encoder`; where it takes a model, the part before the colon.
        summary: one line for the docs.
        takes_model: whether a colon and the name of a model follow.
        fit: the terms of [num_texts] texts of the training split, see `Terms`.
        rows: [num_texts, num_terms] float32, sparse or dense, of texts, their terms, the model's
            name and a folder to keep what takes long to compute, or None.
    """

    name: str
    summary: str
    takes_model: bool
    fit: Callable[[Sequence[str]], Terms]
    rows: Callable[[Sequence[str], Terms, str, Path | None], Any]


def check_encoder(value: str) -> str:
    """The value of `encoder`, if it names an encoder and, where one is needed, a model.

    Raises:
        ValueError: otherwise.
    """
    name, colon, model = value.partition(":")
    encoder = TEXT_ENCODERS[TEXT_ENCODERS.check(name)]
    if encoder.takes_model and not model.strip():
        msg = f"must be {name}:NAME, where NAME is the folder or the name of a model, got {value!r}"
        raise ValueError(msg)
    if colon and not encoder.takes_model:
        msg = f"must be {name} alone, got {value!r}"
        raise ValueError(msg)
    return value


def fit_ngrams(texts: Sequence[str]) -> Terms:
    """The n-grams of the texts, rare ones weighing more: 1 + ln((1 + n) / (1 + frequency))."""
    counts = _count(texts)
    frequency = np.bincount(counts.indices, minlength=BUCKETS)
    buckets = np.flatnonzero(frequency).astype(np.int64)
    idf = np.log((1 + len(texts)) / (1 + frequency[buckets])) + 1
    return Terms(buckets, idf.astype(np.float32))


def ngram_rows(texts: Sequence[str], terms: Terms, model: str, kept: Path | None) -> Any:  # noqa: ARG001
    """[num_texts, num_terms] sparse: (1 + ln(count)) * idf, each row scaled to length 1."""
    rows = _count(texts)[:, terms.buckets]
    rows.data = (1 + np.log(rows.data)) * terms.idf[rows.indices]
    lengths = np.sqrt(rows.multiply(rows).sum(axis=1, dtype=np.float64))
    rows.data /= np.repeat(np.asarray(lengths).ravel(), np.diff(rows.indptr)).astype(np.float32)
    return rows


def _count(texts: Sequence[str]) -> Any:
    """[num_texts, BUCKETS] sparse float32: how often a text has the n-grams of a bucket."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=NGRAMS,
        n_features=BUCKETS,
        norm=None,
        alternate_sign=False,
        preprocessor=_normal_form,
        dtype=np.float32,
    )
    return vectorizer.transform([*texts, ""])[:-1]  # it refuses to read no text at all


def _normal_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


TEXT_ENCODERS = Table(
    "features.encoder",
    TextEncoder(
        "tfidf",
        "hashed pieces of words, two to four characters long, weighted by TF-IDF",
        takes_model=False,
        fit=fit_ngrams,
        rows=ngram_rows,
    ),
    TextEncoder(
        "sentence-transformers",
        'a sentence encoder, from a folder or by name; needs `pip install "twotower[text]"`',
        takes_model=True,
        fit=lambda texts: NO_TERMS,  # noqa: ARG005
        rows=lazy("twotower.data.sentences:sentence_rows"),
    ),
)


def principal_axes(rows: Any, dims: int) -> Float32Array:
    """[num_terms, width] float32: the leading right singular vectors of the rows, as columns.

    width is at least 1 and at most `dims`; it is less where the rows do not span as many, and a
    single axis of zeros if they span none.

    Args:
        rows: [num_texts, num_terms] sparse or dense.
        dims: largest number of axes.
    """
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    most = min(dims, *rows.shape)
    if most == 0:
        return np.zeros((rows.shape[1], 1), dtype=np.float32)
    with threadpool_limits(1, user_api="blas"):  # another number changes the last bits
        _, lengths, axes = randomized_svd(
            rows, most, n_oversamples=32, n_iter=4, power_iteration_normalizer="QR", random_state=0
        )
    width = max(1, np.count_nonzero(lengths > lengths[0] * NOISE))
    return np.ascontiguousarray(axes[:width].T, dtype=np.float32)


def project(rows: Any, axes: Float32Array) -> Float32Array:
    """[num_texts, width] float32: where texts lie on the axes, each scaled to length 1.

    A text of which the axes show nothing is a row of zeros.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        vectors: Float64Array = np.asarray(rows @ axes, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    shown = lengths > NOISE
    return np.where(shown, vectors / np.where(shown, lengths, 1.0), 0.0).astype(np.float32)


def model_digest(model: str) -> str:
    """Hexadecimal digest of all files of a model's folder; "" where the name is no folder's."""
    folder = Path(model)
    if not model or not folder.is_dir():
        return ""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [f"{path.relative_to(folder).as_posix()} {sha256_file(path)}" for path in files]
    return sha256_text("\n".join(listed))[:32]
