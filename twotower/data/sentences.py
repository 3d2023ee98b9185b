"""Sentence encoders: models of the package sentence-transformers, an extra."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twotower.common.arrays import Float32Array, save_array
from twotower.common.errors import ConfigError
from twotower.common.files import atomic_write, json_text
from twotower.common.portable import capability
from twotower.data.text_encoders import Terms, model_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 64
"""Texts that the model reads at once."""


def sentence_rows(texts: Sequence[str], terms: Terms, model: str, kept: Path | None) -> Any:  # noqa: ARG001
    """[num_texts, num_terms] float32 by the model, on one thread of the CPU.

    Args:
        texts: in any number.
        terms: not used.
        model: folder or name.
        kept: folder where the vectors of these texts are kept, by the digest of texts, model,
            versions and what the CPU can do; None: nowhere.

    Raises:
        ConfigError: if sentence-transformers is not installed or the model cannot be loaded.
    """
    if kept is None:
        return _encode(texts, model)
    path = kept / f"{_digest(texts, model)}.npy"
    if not path.exists():
        vectors = _encode(texts, model)
        kept.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as handle:
            save_array(handle, vectors)
    return np.load(path, allow_pickle=False)


def _digest(texts: Sequence[str], model: str) -> str:
    names = ("sentence-transformers", "torch", "transformers")
    versions = [_installed(name) for name in names]
    where = [*versions, capability()]
    content = json_text([model, model_digest(model), where, list(texts)], indent=None)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _installed(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        msg = f'the encoder needs {package}: pip install "twotower[text]"'
        raise ConfigError(msg) from None


def _encode(texts: Sequence[str], model: str) -> Float32Array:
    import torch

    encoder = _load(model, model_digest(model))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # another number changes the last bits
    try:
        vectors = encoder.encode(
            list(texts) or [""], batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False
        )
    finally:
        torch.set_num_threads(threads)
    return np.asarray(vectors, dtype=np.float32)[: len(texts)]  # of no text, their width at least


@lru_cache(maxsize=1)
def _load(model: str, digest: str) -> "SentenceTransformer":  # noqa: ARG001
    """The model, once per content of its folder."""
    _installed("sentence-transformers")
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(model, device="cpu")
    except Exception as error:  # a folder or download of somebody else's may fail in any way
        reason = str(error).strip().partition("\n")[0]
        msg = f"sentence-transformers cannot load {model!r} ({reason}); NAME must be "
        msg += (
            "the folder of a model, relative to the repository, or the name of a model on the hub"
        )
        raise ConfigError(msg) from error
