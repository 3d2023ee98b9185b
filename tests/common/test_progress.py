"""What a long run says of itself, and that it shows nothing where nobody watches."""

import pytest

from twotower.common import progress
from twotower.common.progress import Step, Steps, part, say, step, track, watched


class Seen(Steps):
    """Keeps the counts of all open steps after each change."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[str] = []

    def changed(self) -> None:
        self.counts.append(" > ".join(one.count() for one in self._open))


@pytest.mark.parametrize(
    ("one", "count"),
    [
        (Step("epoch", 15, 4), "epoch 4/15"),
        (Step("rows read", None, 12_000), "rows read 12,000"),
        (Step("verdict"), "verdict"),
    ],
)
def test_a_step_says_how_far_it_is(one: Step, count: str) -> None:
    assert one.count() == count


def test_items_count_once_the_next_is_asked_for() -> None:
    seen = Seen()
    with watched(seen):
        assert list(track("ab", "letter")) == ["a", "b"]
    assert seen.counts == ["letter 0/2", "letter 1/2", "letter 2/2", ""]


def test_items_count_as_much_as_they_hold() -> None:
    seen = Seen()
    with watched(seen):
        list(track(iter(["abc", "de"]), "letters", size=len))
    assert seen.counts == ["letters", "letters 3", "letters 5", ""]


def test_a_rate_is_of_the_time_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0, 4.0])  # the loop's start, the step's, and the look
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    seen = Seen()
    with watched(seen):
        rows = track(iter(["a" * 9_000, "b"]), "rows", size=len, rate=True)
        next(rows)
        assert not seen._open[0].note()
        next(rows)
        assert seen._open[0].note() == "2,250 a second"


def test_a_part_counts_in_the_step_around_it_once_it_ends() -> None:
    seen = Seen()
    with watched(seen), step("refit", 2), part("model"):
        list(track([1], "epoch"))
    assert seen.counts[3:] == [
        "refit 0/2 > model > epoch 1/1",
        "refit 0/2 > model",
        "refit 0/2",
        "refit 1/2",
        "",
    ]


def test_steps_that_an_error_left_end_with_the_one_around() -> None:
    seen = Seen()
    with watched(seen), step("refit"):
        with part("model"):
            left = track([1, 2], "epoch")
            next(left)
        assert seen.counts[-1] == "refit 1"
        left.close()
        assert seen.counts[-1] == "refit 1"


def test_without_a_display_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with step("refit", 1), part("model"):
        assert list(track([1], "epoch")) == [1]
    assert capsys.readouterr() == ("", "")


def test_what_is_said_has_no_secret_and_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("column \x1b]0;x\x07 at\n  postgresql://me:s3cret@host/db")
    assert capsys.readouterr().out == "column \\x1b]0;x\\x07 at\n  postgresql://***@host/db\n"
