"""What the test split says of the refitted model, for the page of the search that chose it."""

import html
import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from twotower.common.errors import DataError


class _Verdict(BaseModel):
    """The keys of metrics/verdict.json that the plots read."""

    scored: bool
    sentence: str = ""


def read_verdict(path: Path) -> str:
    """The verdict in words, safe in plotly's pseudo-HTML; empty if the model was not scored.

    Raises:
        DataError: if the file is missing, or not a verdict of the refit stage.
    """
    try:
        found = _Verdict.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro refit first"
        raise DataError(msg) from None
    except (OSError, ValueError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        msg = f"{path}: not a verdict of the refit stage ({why}); run dvc repro -f -s refit"
        raise DataError(msg) from None
    return html.escape(found.sentence) if found.scored else ""
