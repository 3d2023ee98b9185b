"""`twotower verify`: what it prints, and its exit status."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import twotower
from twotower.common.errors import VerificationError
from twotower.verification.compare import Compared, Verification
from twotower.verification.differences import Difference
from twotower.verification.scratch import Checkout

SAME = Compared("a.json", None)
OTHER = Compared("metrics/b.json", Difference("by 1.0e-08 at most (mrr)", 1e-8))


def found(*rows: Compared) -> Verification:
    return Verification(rows, ("twotower/common",), "made on one, as here", None, None)


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What happens to the pipeline, which does not run."""
    outcome: dict[str, Any] = {"result": found(SAME), "is_clean": True}

    def at(folder: Path) -> Checkout:
        return Checkout(folder, folder, "", "0123456789abcdef", outcome["is_clean"])

    def run(_checkout: Checkout, keep: Path | None) -> Any:
        outcome["keep"] = keep
        if isinstance(outcome["result"], BaseException):
            raise outcome["result"]
        return outcome["result"]

    monkeypatch.setattr("twotower.verification.scratch.Checkout.at", at)
    monkeypatch.setattr("twotower.verification.verify.verify", run)
    return outcome


def test_the_same_outputs_end_with_status_0(outcome: dict[str, Any]) -> None:
    lines = twotower("verify", "--keep", "there").stdout.splitlines()
    assert lines[-1] == "all 1 outputs have the bytes of the committed dvc.lock"
    assert (
        "note: dvc.lock was made from other inputs than those of the commit: twotower/common"
        in lines
    )
    assert outcome["keep"] == Path("there")


def test_other_outputs_end_with_status_1(outcome: dict[str, Any]) -> None:
    outcome["result"] = found(SAME, OTHER)
    lines = twotower("verify", status=1).stdout.splitlines()
    assert lines[:2] == [
        "a.json          same",
        "metrics/b.json  differs  by 1.0e-08 at most (mrr)",
    ]
    assert lines[-1].endswith("; metrics agree to 8 digits")


def test_what_cannot_be_run_ends_with_status_2(outcome: dict[str, Any]) -> None:
    outcome["result"] = VerificationError("the pipeline cannot be run again; hpo: full")
    ran = twotower("verify", status=2)
    assert ran.stderr == "error: the pipeline cannot be run again; hpo: full\n"


def test_ctrl_c_says_that_nothing_has_changed(outcome: dict[str, Any]) -> None:
    outcome["result"] = KeyboardInterrupt()
    assert "nothing has changed here" in twotower("verify", status=130).stderr


def test_changes_that_are_not_committed_are_said_to_be_no_part_of_it(
    outcome: dict[str, Any],
) -> None:
    outcome["is_clean"] = False
    assert twotower("verify").stdout.startswith("note: the commit 0123456789 is verified; tracked")
