"""Which models a run may continue from; that it does is in tests/finetuning."""

from pathlib import Path

import pytest

from tests.conftest import events, split_by_time
from tests.registry.conftest import GOOD, Shop
from twotower.common.errors import ConfigError, RegistryError
from twotower.registry.start_from import start_from_champion, start_from_folder
from twotower.registry.versions import Registry


def test_without_a_champion_there_is_nothing_to_continue_from(
    registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError, match="shop has no champion; run twotower registry promote"):
        start_from_champion(registry, None, tmp_path / "start_model")


def test_a_champion_that_cannot_be_continued_from(promoted: Shop, tmp_path: Path) -> None:
    """Its hyperparameters are not stored."""
    with pytest.raises(ConfigError, match="the model is of another version of twotower"):
        start_from_champion(promoted.registry, None, tmp_path / "start_model")
    assert not (tmp_path / "start_model").exists()


def test_a_folder_whose_data_is_no_longer_prepared(shop: Shop, tmp_path: Path) -> None:
    folder = shop.workspace.model("first", GOOD)
    shop.workspace.new_data(split_by_time(events(seed=5)))
    with pytest.raises(
        ConfigError, match=r"first: was not trained on .*prepared, so which rows it"
    ):
        start_from_folder(folder, shop.workspace.prepared, None, tmp_path / "start_model")
    assert not (tmp_path / "start_model").exists()
