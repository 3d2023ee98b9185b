from pathlib import Path

import pytest

from twotower.assessment.assess import VERDICT_VERSION
from twotower.common.errors import DataError
from twotower.common.files import write_json
from twotower.plots.verdict_line import NEWEST_VERSION, read_verdict


def test_the_sentence_is_read(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    content = {"scored": True, "sentence": "too little <data>", "verdict": "too little"}
    write_json(path, content | {"format_version": NEWEST_VERSION})
    assert read_verdict(path) == "too little &lt;data&gt;"
    write_json(path, content)  # format version 1
    assert read_verdict(path) == "too little &lt;data&gt;"


def test_what_refit_writes_is_of_the_newest_version() -> None:
    assert VERDICT_VERSION == NEWEST_VERSION


def test_a_model_that_was_not_scored_has_none(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    write_json(path, {"scored": False, "verdict": None, "reason": "there is no test split"})
    assert read_verdict(path) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format_version": 4, "scored": true}', "format version 4 is newer than 3, the newest"),
        (None, "no such file; run dvc repro refit first"),
        ("{", "not a verdict"),
        ("[]", "not a verdict"),
        ("{}", "Field required"),
    ],
)
def test_an_unusable_file_is_one_clear_line(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "verdict.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        read_verdict(path)
    assert "\n" not in str(caught.value)
