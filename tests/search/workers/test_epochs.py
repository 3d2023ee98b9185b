"""How far a trial has come, from process to process."""

from twotower.common.progress import step, track, watched
from twotower.search.workers.epochs import Epochs


def test_the_innermost_count_is_published() -> None:
    epochs = Epochs()
    with watched(epochs), step("trial"):
        texts = [epochs.text() for _ in track(range(2), "epoch")]
    assert texts == ["epoch 0/2", "epoch 1/2"]
    assert epochs.text() == ""
