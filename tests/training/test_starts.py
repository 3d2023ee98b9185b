import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import catalogue_of, events, split_by_time
from twotower.config import parse_config
from twotower.config.training import ModelConfig, TrainConfig
from twotower.config.training_choices import STARTS, Start
from twotower.data.dense import Vector
from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.training.fit import fit
from twotower.training.starts import ID_LENGTH, StartInputs, random_start
from twotower.training.towers import TwoTower, load_towers

ROWS = events(seed=1)
CATALOGUE = catalogue_of(ROWS, features=True)


def drawn(config: ModelConfig, seed: int = 1, catalogue: Catalogue = CATALOGUE) -> TwoTower:
    """A model whose parameters are drawn, for the training rows ROWS."""
    model = TwoTower(catalogue, config)
    sizes = len(catalogue.users), len(catalogue.items)
    random_start(model, StartInputs(catalogue.encode(ROWS), *sizes, config, seed))
    return model


def test_ids_that_training_never_sees_start_at_zero() -> None:
    bigger = CATALOGUE.extend(pd.DataFrame({"user_id": [1], "item_id": [2]}))
    users, items = drawn(ModelConfig(dim=8), catalogue=bigger).vectors()
    assert not users[-1].any()
    assert users[:-1].any(axis=1).all()
    assert np.isfinite(items).all()
    assert items[-1].any()  # its unknown features still say something


def test_initial_values_depend_on_the_seed_alone() -> None:
    vectors = []
    for seed in (1, 1, 2):
        torch.rand(7)  # whatever else has drawn from torch's own generator
        vectors.append(drawn(ModelConfig(dim=8, hidden=(4,)), seed).vectors()[1])
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


@pytest.mark.parametrize(("features", "length"), [(True, ID_LENGTH), (False, 1.0)])
def test_ids_start_short_beside_side_features(features, length) -> None:
    lengths = {
        name: parameter.square().sum(dim=1).mean().sqrt().item()
        for name, parameter in drawn(ModelConfig(dim=64, features=features)).named_parameters()
        if "numeric" not in name
    }
    own = lengths.pop("item_tower.id_embedding.weight")
    assert own == pytest.approx(length, rel=0.1)
    # Users have no side features here: their ids are all that is known of them.
    assert list(lengths.values()) == pytest.approx([1.0] * len(lengths), rel=0.2)


def test_vectors_add_as_much_as_other_features() -> None:
    """One of length 1 is mapped to about that length, however wide it is."""
    values = np.random.default_rng(1).normal(size=(len(CATALOGUE.items), 300))
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    column = Vector((values / lengths).astype(np.float32), normalise=True, scale=1.0)
    items = Entities(CATALOGUE.items.vocabulary, Features({"emb": column}))
    config = ModelConfig(dim=64, item_tower="features", similarity="dot")
    _, vectors = drawn(config, catalogue=Catalogue(CATALOGUE.users, items)).vectors()
    assert np.linalg.norm(vectors, axis=1).mean() == pytest.approx(1, rel=0.1)


def test_a_start_in_the_table_is_where_training_starts(monkeypatch) -> None:
    """A made-up start is accepted by the config, and what its row says of it holds."""

    @torch.no_grad()
    def popular_first(model: TwoTower, inputs: StartInputs) -> None:
        """The first dimension counts the item's rows; users are 1 there."""
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
        counts = np.bincount(inputs.interactions.item_idx, minlength=inputs.num_items)
        model.item_tower.id_embedding.weight[:, 0] = torch.from_numpy(counts)
        model.history_embedding.weight[:, 0] = 1.0

    traits = {"is_model": True, "needs_id_embeddings": True, "own_history_table": True}
    start = Start("made_up", "counts", popular_first, **traits)
    monkeypatch.setitem(STARTS, "made_up", start)
    model = {"init": "made_up", "dim": 8, "similarity": "dot", "user_tower": "history"}
    raw = {"model": model, "train": {"epochs": 0}, "hpo": {"include_defaults": False}}
    config = parse_config(raw)
    train = split_by_time(ROWS)["train"]
    catalogue = catalogue_of(train)
    interactions = catalogue.encode(train)
    fitted = fit(catalogue, interactions, config.model, config.train, seed=1)
    users, items = fitted.vectors()
    counts = np.bincount(interactions.item_idx, minlength=len(catalogue.items))
    assert items[:, 0].tolist() == counts.tolist()
    assert (users[:, 0] > 0).all()
    again = load_towers(catalogue, config.model, fitted.state_dict())
    assert np.array_equal(again.vectors()[0], users)
    with pytest.raises(ValueError, match="init: made_up sets embeddings of ids"):
        ModelConfig(init="made_up", hidden=(4,))


@pytest.mark.parametrize("init", [start.name for start in STARTS.values() if start.decomposes])
@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_items_without_rows_start_with_what_their_features_say(init, similarity) -> None:
    """Where lengths count; items with rows keep their vectors."""
    rows = ROWS[ROWS["item_id"] != 1004]
    interactions, train = CATALOGUE.encode(rows), TrainConfig(epochs=0)
    of = {
        features: fit(
            CATALOGUE,
            interactions,
            ModelConfig(dim=8, init=init, similarity=similarity, dropout=0.5, features=features),
            train,
            seed=1,
        )
        for features in (True, False)
    }
    (users, items), (plain_users, plain_items) = (of[each].vectors() for each in (True, False))
    seen = np.arange(len(CATALOGUE.items)) != CATALOGUE.items.vocabulary.ids.get_loc(1004)
    assert not plain_items[~seen].any()
    assert items[~seen].any() == (similarity == "dot")
    assert items[seen] == pytest.approx(plain_items[seen], abs=1e-6)
    assert np.array_equal(users, plain_users)
    assert not of[True].item_tower.id_embedding.weight[~seen].any()


def test_a_name_that_no_start_has_fails_at_once() -> None:
    """Even where no validation has seen it."""
    config = ModelConfig(dim=8).model_copy(update={"init": "made_up"})
    with pytest.raises(KeyError, match="no row is named 'made_up'"):
        fit(CATALOGUE, CATALOGUE.encode(ROWS), config, TrainConfig(epochs=1), seed=1)
