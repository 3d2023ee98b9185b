"""The note beside a tracked study."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tracking.conftest import tracking_config
from twotower.common.errors import TrackingError
from twotower.tracking.tracked_study import NOTE, TrackedStudy, read_note, write_note

STUDY = TrackedStudy(
    key="0123-mixed",
    name="two-tower",
    objective="mrr",
    store=tracking_config(tracking_uri="http://host:5000").mlflow,
    params={"seed": "42"},
    tags={"twotower.identity": "ab", "twotower.version.code": "c"},
    digests={"train": "abc", "validation": "def"},
    row_counts={"train": 7},
    live_name="two-tower-0123",
)


def test_round_trip(tmp_path: Path) -> None:
    study = replace(STUDY, further_objectives=("gini_at_10",))
    write_note(tmp_path, study)
    assert read_note(tmp_path) == study


def test_credentials_are_not_in_the_note_but_in_todays_configuration(tmp_path: Path) -> None:
    configured = tracking_config(tracking_uri="http://me:secret@host:5000").mlflow
    write_note(tmp_path, replace(STUDY, store=configured))
    assert read_note(tmp_path) == STUDY
    assert STUDY.store_with_credentials(configured) == configured
    other = tracking_config(tracking_uri="http://me:secret@other:5000").mlflow
    assert STUDY.store_with_credentials(other) == STUDY.store


def test_notes_of_the_first_format_can_be_read(tmp_path: Path) -> None:
    datasets = [
        {"name": "train", "digest": "abc", "context": "training", "source": "x", "num_rows": 7},
        {"name": "validation", "digest": "def", "context": "v", "source": "y", "num_rows": None},
    ]
    search = {"key": STUDY.key, "study_name": STUDY.name, "params": STUDY.params}
    note = {
        "study_name": STUDY.live_name,
        "objective": "mrr",
        "config": STUDY.store.model_dump(mode="json"),
        "search": search | {"tags": STUDY.tags, "datasets": datasets},
    }
    (tmp_path / NOTE).write_text(json.dumps(note), encoding="utf-8")
    assert read_note(tmp_path) == STUDY


@pytest.mark.parametrize("content", ["", "[]", "{}", "7", '{"search": {}}', '{"key": "0123"}'])
def test_a_damaged_note_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text(content, encoding="utf-8")
    with pytest.raises(TrackingError, match=r"tracking\.json: not a valid note") as raised:
        read_note(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"identity": "cd"}, False),
        ({"provenance": {"mixed": False, "code": "d"}}, False),
        ({"provenance": {"mixed": True, "code": "c"}}, True),
    ],
)
def test_results_are_of_a_study_by_identity_and_code(
    change: dict[str, object], expected: bool
) -> None:
    results = {"identity": "ab", "provenance": {"mixed": False, "code": "c"}}
    assert STUDY.has_results(results | change) is expected
