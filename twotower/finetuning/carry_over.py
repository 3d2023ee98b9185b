"""The weights of an earlier model, carried over to new data: ids and categories may have come.

What the earlier model was trained on keeps its vectors to the last bits: an id's embedding makes up
for what the encoders of side features lose when numbers are scaled, or texts reduced, by new data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from pandas.api.types import is_integer_dtype
from torch import Tensor, nn

from twotower.common.errors import ConfigError
from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Dense, Vector
from twotower.data.feature import Feature
from twotower.data.features import KINDS, Numeric
from twotower.data.prepared import Catalogue, Entities
from twotower.data.text import Text
from twotower.training.encoders import Encoder
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class Carried:
    """Users or items that two models have.

    Attributes:
        old: [count] int64 indices in the earlier model.
        new: [count] int64 indices of the same in the later one.
    """

    old: Tensor
    new: Tensor

    @classmethod
    def of(cls, old: Entities, new: Entities) -> "Carried":
        """Those of two vocabularies.

        Raises:
            ConfigError: if the ids of one are numbers and those of the other text.
        """
        before, after = old.vocabulary.ids, new.vocabulary.ids
        kinds = ["integers" if is_integer_dtype(ids.dtype) else "text" for ids in (before, after)]
        if len(before) and len(after) and kinds[0] != kinds[1]:
            msg = f"the ids of the start model are {kinds[0]}, those of the data {kinds[1]}"
            raise ConfigError(msg)
        places = new.vocabulary.encode(before)
        found = np.flatnonzero(places >= 0)
        return cls(torch.from_numpy(found), torch.from_numpy(places[found]))


@torch.no_grad()
def carry_over(model: TwoTower, earlier: TwoTower, catalogue: Catalogue, known: Catalogue) -> None:
    """Give a new model the weights of an earlier one; what that lacks stays as it starts.

    Args:
        model: of the same configuration, whose parameters a start has set; changed in place.
        earlier: trained.
        catalogue: users and items of `model`.
        known: those of `earlier`.

    Raises:
        ConfigError: if the data has other ids or side features than the earlier model.
    """
    users, items = (
        Carried.of(known.users, catalogue.users),
        Carried.of(known.items, catalogue.items),
    )
    _carry_tower(model.user_tower, earlier.user_tower, known.users, catalogue.users, users)
    _carry_tower(model.item_tower, earlier.item_tower, known.items, catalogue.items, items)
    if model.history_embedding is not None and earlier.history_embedding is not None:
        _carry_rows(model.history_embedding.weight, earlier.history_embedding.weight, items)
    if model.encoder is not None and earlier.encoder is not None:
        model.encoder.load_state_dict(earlier.encoder.state_dict())


def _carry_tower(
    tower: Tower, earlier: Tower, known: Entities, entities: Entities, both: Carried
) -> None:
    tower.layers.load_state_dict(earlier.layers.state_dict())
    if tower.has_features or earlier.has_features:
        _check_features(known, entities)
        for name, column in entities.features.columns.items():
            CARRIERS[column.name](_Feature(tower, earlier, name, known, entities, both))
    if tower.id_embedding is None or earlier.id_embedding is None:
        return
    # An id without rows had no part in training: it is described by its features, or not at all.
    trained = earlier.id_embedding.weight[both.old].any(dim=1)
    seen = Carried(both.old[trained], both.new[trained])
    lost = _of_features(earlier, seen.old) - _of_features(tower, seen.new)
    tower.id_embedding.weight[seen.new] = earlier.id_embedding.weight[seen.old] + lost


def _carry_rows(table: Tensor, earlier: Tensor, both: Carried) -> None:
    trained = earlier[both.old].any(dim=1)
    table[both.new[trained]] = earlier[both.old[trained]]


def _check_features(known: Entities, entities: Entities) -> None:
    before, after = (
        {name: column.name for name, column in each.features.columns.items()}
        for each in (known, entities)
    )
    if odd := sorted(name for name, _ in before.items() ^ after.items()):
        msg = (
            f"side feature {odd[0]!r} is {before.get(odd[0], 'missing')} in the start model, "
            f"{after.get(odd[0], 'missing')} in the data; train anew: twotower finetune --reset"
        )
        raise ConfigError(msg)


def _of_features(tower: Tower, idx: Tensor) -> Tensor:
    """[count, dim] what side features add to the vectors of entities."""
    total = torch.zeros(len(idx), tower.dim)
    for encoder in tower.encoders():
        total += encoder(idx)
    return total


@dataclass(frozen=True)
class _Feature:
    """One side feature of two towers."""

    tower: Tower
    earlier: Tower
    name: str
    known: Entities
    entities: Entities
    both: Carried

    def columns(self) -> tuple[Feature, Feature]:
        """As the earlier data has it, and as the new one does."""
        return (
            self.known.features.columns[self.name],
            self.entities.features.columns[self.name],
        )

    def weights(self) -> tuple[Tensor, Tensor]:
        """Those of its encoder in the earlier tower, and in the new one."""
        position = str(sorted(self.entities.features.columns).index(self.name))
        return self._weight(self.earlier, position), self._weight(self.tower, position)

    @staticmethod
    def _weight(tower: Tower, position: str) -> Tensor:
        return cast(Encoder, tower.feature_embeddings[position]).weight


def _carry_categories(feature: _Feature) -> None:
    """Embeddings by the names of categories; a new category starts at the mean of the others."""
    before, after = (cast("Categorical | MultiValued", each) for each in feature.columns())
    old, new = feature.weights()
    if len(before.categories):
        new[1:] = old[1:].mean(dim=0)
    new[0] = old[0]
    rows = {name: row for row, name in enumerate(before.categories, 1)}
    places = [(rows[name], row) for row, name in enumerate(after.categories, 1) if name in rows]
    if places:
        source, target = torch.tensor(places).T
        new[target] = old[source]


def _carry_dense(feature: _Feature) -> None:
    """The linear map of vectors that stand for the same: earlier ones are a map of the new ones.

    Texts are reduced to other axes by other data, and vectors are scaled. The map between them is
    the least-squares solution over the entities of both.
    """
    from threadpoolctl import threadpool_limits

    before, after = (cast(Dense, each).values for each in feature.columns())
    old, new = feature.weights()
    inputs, targets = after[feature.both.new.numpy()], before[feature.both.old.numpy()]
    told = inputs.any(axis=1) & targets.any(axis=1)
    with threadpool_limits(1, user_api="blas"):
        between = np.linalg.lstsq(
            inputs[told].astype(np.float64), targets[told].astype(np.float64), rcond=None
        )[0]
    new.copy_(old @ torch.from_numpy(between.T.astype(np.float32)))


def _carry_numeric(feature: _Feature) -> None:
    """A column of the linear map of all numbers, for another scale."""
    before, after = (cast(Numeric, each) for each in feature.columns())
    columns = feature.entities.features.columns
    position = [name for name in sorted(columns) if isinstance(columns[name], Numeric)].index(
        feature.name
    )
    old, new = (
        cast(nn.Linear, tower.get_submodule(Numeric.name)).weight
        for tower in (feature.earlier, feature.tower)
    )
    new[:, position] = old[:, position] * (after.std / before.std)


CARRIERS: dict[str, Callable[[_Feature], None]] = {
    Categorical.name: _carry_categories,
    MultiValued.name: _carry_categories,
    Numeric.name: _carry_numeric,
    Vector.name: _carry_dense,
    Text.name: _carry_dense,
}
"""By the name of a kind of feature."""

if missing := KINDS.keys() - CARRIERS.keys():
    msg = f"kinds of features whose weights are not carried over: {', '.join(sorted(missing))}"
    raise NotImplementedError(msg)
