import numpy as np
import pytest
import torch

from tests.conftest import catalogue_of, events
from twotower.config.training import ModelConfig
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower, load_towers

FEATURES = Features(
    {
        "colour": Categorical(np.array([1, 0, 2]), ("blue", "red")),
        "price": Numeric(np.array([0.5, 0.0, -2.0], dtype=np.float32), 1.0, 1.0),
        "size": Numeric(np.array([1.0, 3.0, 0.0], dtype=np.float32), 1.0, 1.0),
        "tags.all": MultiValued(np.array([1, 2, 2]), np.array([0, 2, 2, 3]), ("a", "b")),
    }
)


def tower(config: ModelConfig) -> Tower:
    torch.manual_seed(0)
    return Tower(3, FEATURES, config, use_id=True)


def test_vector_is_the_sum_of_the_encoders() -> None:
    subject = tower(ModelConfig(dim=4))
    colour, tags = (subject.feature_embeddings[name].weight for name in ("0", "3"))
    numbers = subject.numeric.weight.T
    ids = subject.id_embedding.weight
    expected = torch.stack(
        [
            ids[0] + colour[1] + 0.5 * numbers[0] + 1.0 * numbers[1] + (tags[1] + tags[2]) / 2,
            ids[1] + colour[0] + 3.0 * numbers[1],
            ids[2] + colour[2] - 2.0 * numbers[0] + tags[2],
        ]
    )
    assert torch.allclose(subject(torch.arange(3)), expected, atol=1e-6)


def test_order_and_repetition_of_indices_do_not_matter() -> None:
    subject = tower(ModelConfig(dim=4, hidden=(6,)))
    once = subject(torch.arange(3))
    assert torch.allclose(subject(torch.tensor([2, 0, 2])), once[[2, 0, 2]], atol=1e-6)


def test_hidden_layers_follow_the_sum() -> None:
    subject = tower(ModelConfig(dim=4, hidden=(6, 5)))
    total = tower(ModelConfig(dim=4))(torch.arange(3))
    first, second, third = subject.layers
    expected = third(torch.relu(second(torch.relu(first(total)))))
    assert [layer.out_features for layer in subject.layers] == [6, 5, 4]
    assert torch.allclose(subject(torch.arange(3)), expected, atol=1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_vectors_rank_as_the_towers_do(similarity) -> None:
    catalogue = catalogue_of(events(seed=1), features=True)
    model = TwoTower(catalogue, ModelConfig(dim=8, similarity=similarity))
    users, items = model.vectors()
    assert users.shape == (len(catalogue.users), 8)
    assert items.dtype == np.float32
    lengths = np.linalg.norm(items, axis=1)
    assert np.allclose(lengths, 1, atol=1e-5) == (similarity == "cosine")
    with torch.no_grad():
        row = model(torch.tensor([3]), torch.tensor([5]), torch.tensor([0]))
        query, candidate = (model.finish(vectors) for vectors in row)
        expected = query @ candidate.T
    assert users[3] @ items[5] == pytest.approx(expected.item(), abs=1e-5)


def test_popularity_takes_the_last_dimension() -> None:
    catalogue = catalogue_of(events(seed=1), features=True)
    config = ModelConfig(dim=8, popularity_weight=0.5)
    popularity = np.linspace(-1, 1, len(catalogue.items), dtype=np.float32)
    model = TwoTower(catalogue, config, None, popularity)
    users, items = model.vectors()
    assert users.shape == (len(catalogue.users), 8)
    assert np.array_equal(items[:, -1], popularity)
    assert np.allclose(np.linalg.norm(items[:, :-1], axis=1), 1, atol=1e-5)
    assert users[3, -1] == 1
    again = load_towers(catalogue, config, model.state_dict())
    assert np.array_equal(again.vectors()[1], items)


def test_unknown_users_have_no_popularity_term() -> None:
    """A model represents a user of whom it knows nothing by zeros."""
    catalogue = catalogue_of(events(seed=1))
    config = ModelConfig(dim=8, popularity_weight=0.5)
    model = TwoTower(catalogue, config, None, np.ones(len(catalogue.items), np.float32))
    with torch.no_grad():
        model.user_tower.id_embedding.weight[2] = 0.0
    assert not model.vectors()[0][2].any()


def test_features_can_be_left_out() -> None:
    catalogue = catalogue_of(events(seed=1), features=True)
    names = dict(TwoTower(catalogue, ModelConfig(features=False)).named_parameters())
    assert sorted(names) == ["item_tower.id_embedding.weight", "user_tower.id_embedding.weight"]
