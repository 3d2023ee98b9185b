"""Each kind by itself; what prepare makes of a table's cells is in tests/ingest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.ingest.conftest import Shop
from twotower.common.errors import ConfigError, DataError
from twotower.config import parse_config
from twotower.config.declared_features import FeatureConfig
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.feature import Cells, Feature
from twotower.data.features import KINDS, Features
from twotower.training.encoders import COLUMN_ENCODERS
from twotower.training.fit import fit
from twotower.training.towers import load_towers

IN_TRAIN = np.array([True, True, False])
CELLS = {
    Cells.TEXT: pa.chunked_array([["b", None, "a"]]),
    Cells.LISTS: pa.chunked_array([[["b", " a "], None, ["b", "b"]]]),
    Cells.NUMBERS: pa.chunked_array([[1.0, np.nan, 5.0]]),
    Cells.VECTORS: pa.chunked_array(
        [pa.array([[3.0, 4.0], None, [1.0, 0.0]], pa.list_(pa.float32(), 2))]
    ),
}
OPTIONS = {kind: FeatureConfig(kind=kind).model_dump() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_survives_its_file(kind) -> None:
    values = CELLS[KINDS[kind].cells]
    column = KINDS[kind].encode(values, IN_TRAIN, "items: feature 'x'", OPTIONS[kind])
    stored = pa.chunked_array([column.to_arrow()])
    again = KINDS[kind].from_arrow(stored, column.schema(), column.arrays())
    for name, value in vars(column).items():
        assert np.array_equal(getattr(again, name), value)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_adds_entities_without_a_value(kind) -> None:
    values = CELLS[KINDS[kind].cells]
    missing = pa.chunked_array([*values.chunks, pa.nulls(2, values.type)])
    padded = KINDS[kind].encode(values, IN_TRAIN, "x", OPTIONS[kind]).pad(2)
    in_train = np.append(IN_TRAIN, [False, False])
    expected = KINDS[kind].encode(missing, in_train, "x", OPTIONS[kind])
    assert len(padded.to_arrow()) == 5
    assert padded.to_arrow().equals(expected.to_arrow())


@pytest.mark.parametrize("kind", ["categorical", "multi_valued"])
def test_further_entities_get_the_codes_of_the_categories_and_unknown_ones_are_counted(
    kind: str,
) -> None:
    text = KINDS[kind].cells is Cells.TEXT
    known, new = (["b", None, "a"], ["a", "new", None, "b"])
    if not text:
        known = [["b", " a "], None, ["b", "b"]]
        new = [["a", "new", "b", "other"], ["new"], None, ["", "b"]]
    column = KINDS[kind].encode(pa.chunked_array([known]), IN_TRAIN, "x", OPTIONS[kind])
    further, unknown = column.encode_more(pa.chunked_array([new]), "x")
    assert unknown == (1 if text else 3)
    codes = [1, 0, 0, 2] if text else [[1, 2], [], [], [2]]
    assert further.to_arrow().to_pylist() == codes
    whole = column.concat(further)
    assert whole.to_arrow().to_pylist() == column.to_arrow().to_pylist() + codes
    assert whole.schema() == column.schema()


def test_the_separator_of_cells_is_kept_for_further_entities() -> None:
    kind, cells = KINDS["multi_valued"], CELLS[Cells.LISTS]
    spaced = FeatureConfig(kind="multi_valued", separator=" ").model_dump()
    column = kind.encode(cells, IN_TRAIN, "x", spaced)
    stored = pa.chunked_array([column.to_arrow()])
    assert kind.from_arrow(stored, column.schema(), {}).separator == " "
    assert "separator" not in kind.encode(cells, IN_TRAIN, "x", OPTIONS["multi_valued"]).schema()


def test_further_numbers_are_measured_as_the_first_were() -> None:
    column = KINDS["numeric"].encode(CELLS[Cells.NUMBERS], np.ones(3, bool), "x", {})  # 1 and 5
    further, unknown = column.encode_more(pa.chunked_array([[7.0, np.nan]]), "x")
    assert (further.values.tolist(), unknown) == ([2.0, 0.0], 0)
    assert column.concat(further).values.tolist() == [-1.0, 0.0, 1.0, 2.0, 0.0]
    with pytest.raises(DataError, match="x: the numbers differ by too many orders"):
        column.encode_more(pa.chunked_array([[1e300]]), "x")


@pytest.mark.parametrize("kind", KINDS)
def test_some_entities_keep_their_values(kind: str) -> None:
    column = KINDS[kind].encode(CELLS[KINDS[kind].cells], IN_TRAIN, "x", OPTIONS[kind])
    taken = Features({"x": column}).take(np.array([2, 0])).columns["x"]
    assert type(taken) is type(column)
    assert taken.to_arrow().to_pylist() == [column.to_arrow().to_pylist()[n] for n in (2, 0)]
    assert taken.schema() == column.schema()


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_that_further_entities_lack_is_missing(kind: str) -> None:
    column = KINDS[kind].encode(CELLS[KINDS[kind].cells], IN_TRAIN, "x", OPTIONS[kind])
    further, unknown = Features({"x": column}).encode_more({}, 2, "items")
    assert unknown == {}
    whole = Features({"x": column}).concat(further).columns["x"]
    assert whole.to_arrow().equals(column.pad(2).to_arrow())


def test_numbers_beyond_float32_are_refused() -> None:
    values = pa.chunked_array([[1.0, 1.0, 1e300]])
    with pytest.raises(DataError, match="items: feature 'x': the numbers differ by too many"):
        KINDS["numeric"].encode(values, IN_TRAIN, "items: feature 'x'", OPTIONS["numeric"])


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    raw = {"data": {"items": {"features": {"price": "number"}}}}
    kinds = ", ".join(KINDS)
    with pytest.raises(ConfigError, match=f"price.kind: must be one of {kinds}, got 'number'"):
        parse_config(raw)


@dataclass(frozen=True)
class Length(Feature):
    """A made-up kind: how many letters a cell has."""

    name = "length"
    summary = "number of letters"
    cells = Cells.TEXT

    letters: np.ndarray

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: Any,  # noqa: ARG003
        where: str,  # noqa: ARG003
        options: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        return cls(np.array([len(cell or "") for cell in values.to_pylist()], dtype=np.int64))

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:
        return self.encode(values, np.zeros(len(values), bool), where, {}), 0

    def concat(self, other: Self) -> Self:
        return replace(self, letters=np.concatenate([self.letters, other.letters]))

    def pad(self, count: int) -> Self:
        return replace(self, letters=np.pad(self.letters, (0, count)))

    def schema(self) -> dict[str, Any]:
        return {"longest": int(self.letters.max())}

    def to_arrow(self) -> pa.Array:
        return pa.array(self.letters)

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        assert schema["longest"] == max(column.to_pylist())
        return cls(column.to_numpy().copy())


class LengthEncoder(torch.nn.Embedding):
    def __init__(self, column: Length, dim: int) -> None:
        super().__init__(column.letters.max() + 1, dim)
        self.letters = column.letters

    def forward(self, idx: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.from_numpy(self.letters)[idx])


def test_a_kind_in_the_tables_goes_from_a_cell_to_a_tower(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(KINDS, "length", Length)
    monkeypatch.setitem(COLUMN_ENCODERS, "length", LengthEncoder)
    shop = Shop(tmp_path)
    shop.data["items"] = {"features": {"name": "length"}}
    shop.write("items.csv", "item_id,name\n10,Pencil\n11,Cup\n12,Mat\n")
    shop.run()
    catalogue = shop.catalogue()
    assert catalogue.items.features.columns["name"].letters.tolist() == [6, 3, 3]
    rows = catalogue.encode(shop.read("train"))
    config = ModelConfig(dim=4, item_tower="features")
    model = fit(catalogue, rows, config, TrainConfig(epochs=1), seed=1)
    _, items = model.vectors()
    assert np.array_equal(items[1], items[2])
    assert not np.allclose(items[0], items[1])
    again = load_towers(catalogue, config, model.state_dict())
    assert np.array_equal(again.vectors()[1], items)
