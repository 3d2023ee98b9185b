from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.common.errors import TrainingError
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import Features
from twotower.data.interactions import Interactions, ItemLists
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.training.examples import SequenceWindows
from twotower.training.fit import fit
from twotower.training.sequence_encoder import SequenceEncoder
from twotower.training.sequences import Sequences, Windows

ROWS = Interactions(
    user_idx=np.array([0, 2, 0, 0, 0]),
    item_idx=np.array([2, 0, 1, 2, 3]),
    weight=np.array([1, 4, 2, 3, 5], dtype=np.float32),
    timestamp=np.array([0, 9, 4, 6, 6]),
)


def entities(count: int) -> Entities:
    return Entities(Vocabulary(pd.Index(np.arange(count))), Features())


def test_items_are_in_the_order_of_their_last_events() -> None:
    actual = Sequences.of(ROWS, num_users=3, num_items=4)
    assert actual.lists.items.tolist() == [1, 2, 3, 0]
    assert actual.lists.counts.tolist() == [3, 0, 1]
    assert actual.weight.tolist() == [2, 4, 5, 4]
    latest = actual.latest(2)
    assert latest.lists.items.tolist() == [2, 3, 0]
    assert latest.lists.offsets.tolist() == [0, 2, 2, 3]
    assert latest.weight.tolist() == [4, 5, 4]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 7))
def test_each_item_is_counted_once_with_half_a_window_before_it(counts, length) -> None:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    lists = ItemLists(offsets, np.arange(offsets[-1]))
    windows = Windows.of(lists, length)
    targets = [
        np.arange(counted, stop)
        for counted, stop in zip(windows.counted, windows.stop, strict=True)
    ]
    assert sorted(np.concatenate([[], *targets])) == list(range(offsets[-1]))
    assert (windows.stop - windows.start <= length + 1).all()
    whole = windows.start == offsets[windows.user]
    assert (windows.counted[whole] == windows.start[whole]).all()
    assert ((windows.counted - windows.start)[~whole] == (length + 1) // 2).all()
    assert (windows.stop <= offsets[windows.user + 1]).all()


def test_an_epoch_has_every_item_once_with_what_came_before() -> None:
    lists = ItemLists(np.array([0, 5, 6, 6, 9]), np.array([4, 2, 0, 1, 3, 2, 3, 0, 1]))
    weight = np.arange(1, 10, dtype=np.float32)
    source = SequenceWindows(Sequences(lists, weight), num_items=5, length=3, device="cpu")
    seen = []
    for examples in source.batches(2, torch.Generator().manual_seed(0)):
        windows, places = examples.counted.nonzero(as_tuple=True)
        for item, window, place in zip(examples.item_idx, windows, places, strict=True):
            assert place <= examples.lengths[window]
            before = examples.inputs[window, :place].tolist()
            seen.append((int(examples.user_idx[window]), before, int(item)))
    assert sorted(seen) == [
        (0, [], 4),
        (0, [2, 0], 1),
        (0, [2, 0, 1], 3),
        (0, [4], 2),
        (0, [4, 2], 0),
        (1, [], 2),
        (3, [], 3),
        (3, [3], 0),
        (3, [3, 0], 1),
    ]


def test_a_vector_depends_on_earlier_items_alone_and_not_on_padding() -> None:
    torch.manual_seed(0)
    encoder = SequenceEncoder(dim=8, length=6, blocks=2, heads=2, dropout=0.5).eval()
    user, items = torch.randn(1, 8), torch.randn(1, 5, 8)
    lengths = torch.tensor([5])
    states = encoder(user, items, lengths)
    changed = items.clone()
    changed[:, 3, 0] += 1.0
    others = encoder(user, changed, lengths)
    assert torch.equal(states[:, :4], others[:, :4])
    assert not torch.allclose(states[:, 4:], others[:, 4:])
    padded = encoder(user, torch.cat([items, torch.full((1, 1, 8), 9.0)], dim=1), lengths)
    assert torch.allclose(states, padded[:, :6], atol=1e-6)
    # Positions count from the end: the same items mean something else after an older one.
    assert not torch.allclose(encoder(user, items[:, 1:], lengths - 1)[:, -1], states[:, -1])


def test_a_cosine_has_a_gradient_before_the_first_item() -> None:
    """A state of 0 would have one of 10^12."""
    torch.manual_seed(0)
    encoder = SequenceEncoder(dim=8, length=6, blocks=1, heads=1, dropout=0.0)
    encoder.draw(0.02, torch.Generator().manual_seed(0))
    state = encoder(torch.zeros(1, 8), torch.zeros(1, 0, 8), torch.tensor([0]))
    torch.nn.functional.normalize(state[0], dim=1)[0, 0].backward()
    assert all(p.grad is None or p.grad.abs().max() < 1e3 for p in encoder.parameters())


def test_it_needs_times() -> None:
    catalogue = Catalogue(entities(3), entities(4))
    rows = replace(ROWS, timestamp=np.zeros(5, np.int64))
    with pytest.raises(TrainingError, match="needs events of different times"):
        fit(catalogue, rows, ModelConfig(dim=4, user_tower="sequence"), TrainConfig(), seed=1)


def test_of_a_user_without_items_nothing_is_known() -> None:
    catalogue = Catalogue(entities(3), entities(4))
    config = ModelConfig(dim=4, user_tower="sequence", popularity_weight=0.1)
    users, _ = fit(catalogue, ROWS, config, TrainConfig(epochs=1), seed=1).vectors()
    assert users.any(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_it_learns_what_follows_what(similarity) -> None:
    """Item i + 1 follows item i, whatever came before: pooled histories cannot tell which."""
    num_users, num_items, length = 60, 10, 6
    start = np.random.default_rng(0).integers(num_items, size=num_users)
    items = (start[:, None] + np.arange(length)) % num_items
    rows = Interactions(
        user_idx=np.repeat(np.arange(num_users), length),
        item_idx=items.ravel(),
        weight=np.ones(items.size, np.float32),
        timestamp=np.tile(np.arange(length), num_users),
    )

    model = fit(
        Catalogue(entities(num_users), entities(num_items)),
        rows,
        ModelConfig(dim=16, user_tower="sequence", similarity=similarity, sequence_length=4),
        TrainConfig(epochs=30, batch_size=8, lr=0.01, loss="full_softmax"),
        seed=1,
    )
    users, vectors = model.vectors()
    best = np.argmax(users @ vectors.T, axis=1)
    assert np.mean(best == (start + length) % num_items) > 0.95
