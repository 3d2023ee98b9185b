"""The verdict on the refitted model, for the page of the search that chose it."""

import html
from pathlib import Path

from pydantic import BaseModel, ValidationError

from twotower.common.errors import DataError
from twotower.common.files import read_json

NEWEST_VERSION = 3
"""Newest format of metrics/verdict.json that is read; version 1 had no `format_version`."""


class _Verdict(BaseModel):
    """The keys of metrics/verdict.json that the plots read."""

    format_version: int = 1
    scored: bool
    sentence: str = ""


def read_verdict(path: Path) -> str:
    """The verdict in words, safe in plotly's pseudo-HTML; empty if the model was not scored.

    Raises:
        DataError: if the file is missing, of a newer format, or not a verdict of the refit stage.
    """
    try:
        verdict = _Verdict.model_validate(read_json(path))
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro refit first"
        raise DataError(msg) from None
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        msg = f"{path}: not a verdict of the refit stage ({reason}); run dvc repro -f -s refit"
        raise DataError(msg) from None
    if verdict.format_version > NEWEST_VERSION:
        msg = (
            f"{path}: format version {verdict.format_version} is newer than {NEWEST_VERSION}, the "
            "newest that this version of twotower reads; run dvc repro -f -s refit"
        )
        raise DataError(msg)
    return html.escape(verdict.sentence) if verdict.scored else ""
