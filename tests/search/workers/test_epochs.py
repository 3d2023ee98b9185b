"""How far trials have come, from process to process."""

import contextlib

from twotower.common.progress import step, track, watched
from twotower.search.workers.epochs import SHOWN, WorkersEpochs


def test_the_innermost_count_is_published() -> None:
    epochs = WorkersEpochs()
    with watched(epochs.add_worker()), step("trial"):
        texts = [epochs.text() for _ in track(range(2), "epoch")]
    assert texts == ["epoch 0/2", "epoch 1/2"]
    assert epochs.text() == ""


def test_those_of_several_workers_are_shown_side_by_side() -> None:
    epochs = WorkersEpochs()
    workers = [epochs.add_worker() for _ in range(SHOWN + 1)]
    with contextlib.ExitStack() as trials:
        texts = []
        for number in (1, 0, 4, 2, 3):  # the second worker is the first to begin
            with watched(workers[number]):
                trials.enter_context(step("epoch", total=10 + number, done=number))
            texts.append(epochs.text())
    assert texts == [
        "epoch 1/11",
        "epochs 0/10, 1/11",
        "epochs 0/10, 1/11, 4/14",
        "epochs 0/10, 1/11, 2/12, 4/14",
        "epochs 0/10, 1/11, 2/12, 3/13, …",
    ]


def test_a_process_that_died_counts_no_longer() -> None:
    epochs = WorkersEpochs()
    worker = epochs.add_worker()
    with watched(worker), step("epoch", total=3):
        worker.reset()
        assert epochs.text() == ""
