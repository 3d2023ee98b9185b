import numpy as np
import pytest
import torch

from tests.finetuning.catalogues import earlier, entities, later, towers
from twotower.common.errors import ConfigError
from twotower.config.training import ModelConfig
from twotower.data.prepared import Catalogue
from twotower.finetuning.carry_over import Carried, carry_over

OLD_IN_LATER = [1, 2, 3, 4]
"""Where items 10 to 40 are in the later catalogue; users 1 to 3 are at 1 to 3 there."""


def carried(config: ModelConfig) -> tuple[torch.nn.Module, torch.nn.Module]:
    before, after = towers(earlier(), config, seed=1), towers(later(), config, seed=2)
    carry_over(after, before, later(), earlier())
    return before, after


def test_ids_are_matched_whatever_their_place() -> None:
    both = Carried.of(earlier().items, later().items)
    assert both.old.tolist() == [0, 1, 2, 3]
    assert both.new.tolist() == OLD_IN_LATER


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"similarity": "dot", "popularity_weight": 0.1},
        {"hidden": (6, 5)},
        {"user_tower": "sequence"},
        {"item_tower": "id"},
    ],
)
def test_known_items_and_users_have_the_vectors_that_they_had(settings: dict) -> None:
    before, after = carried(ModelConfig(dim=4, **settings))
    width = before.item_tower.dim
    (users, items), (new_users, new_items) = before.vectors(), after.vectors()
    assert np.allclose(new_items[OLD_IN_LATER, :width], items[:, :width], atol=1e-5)
    if settings.get("user_tower") != "sequence":  # whose users have other items now
        assert np.allclose(new_users[1:, :width], users[:, :width], atol=1e-5)


def test_features_alone_say_the_same_of_known_items() -> None:
    before, after = carried(ModelConfig(dim=4, item_tower="features", similarity="dot"))
    assert np.allclose(after.vectors()[1][OLD_IN_LATER], before.vectors()[1], atol=1e-5)


def test_categories_keep_their_embeddings_and_new_ones_start_at_the_mean() -> None:
    before, after = carried(ModelConfig(dim=4))
    for name in ("0", "3"):  # colour and tags, in alphabetical order
        old, new = (model.item_tower.feature_embeddings[name].weight for model in (before, after))
        mean = (old[1] + old[2]) / 2
        assert torch.equal(new, torch.stack([old[0], mean, old[1], old[2]]))


def test_numbers_are_scaled_and_vectors_turned() -> None:
    before, after = carried(ModelConfig(dim=4))
    old, new = (model.item_tower.numeric.weight for model in (before, after))
    assert torch.equal(new, old * (2.0 / 4.0))  # a deviation of 4 is one of 2 now
    old, new = (model.item_tower.feature_embeddings["1"].weight for model in (before, after))
    looks = torch.from_numpy(later().items.features.columns["look"].values)  # type: ignore[attr-defined]
    known = torch.from_numpy(earlier().items.features.columns["look"].values)  # type: ignore[attr-defined]
    assert torch.allclose(looks[1:] @ new.T, known @ old.T, atol=1e-6)


def test_what_the_earlier_model_lacks_stays_as_it_starts() -> None:
    config = ModelConfig(dim=4)
    fresh = towers(later(), config, seed=2).item_tower.id_embedding.weight[0].clone()
    before, after = towers(earlier(), config, seed=1), towers(later(), config, seed=2)
    before.item_tower.id_embedding.weight.data[3] = 0.0  # item 40 had no rows
    untouched = after.item_tower.id_embedding.weight[4].clone()
    carry_over(after, before, later(), earlier())
    assert torch.equal(after.item_tower.id_embedding.weight[0], fresh)
    assert torch.equal(after.item_tower.id_embedding.weight[4], untouched)


def test_ids_of_another_type_are_refused() -> None:
    texts = Catalogue(later().users, entities(["10", "20"]))
    with pytest.raises(ConfigError, match="ids of the start model are integers, those of the data"):
        Carried.of(earlier().items, texts.items)
    assert len(Carried.of(earlier().items, entities([])).old) == 0


def test_other_side_features_are_refused() -> None:
    known, new = earlier(), later()
    columns = {k: v for k, v in new.items.features.columns.items() if k != "look"}
    fewer = Catalogue(new.users, entities(list(new.items.vocabulary.ids), **columns))
    config = ModelConfig(dim=4)
    with pytest.raises(ConfigError, match="'look' is vector in the start model, missing in the da"):
        carry_over(towers(fewer, config), towers(known, config), fewer, known)
