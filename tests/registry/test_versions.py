"""Models are registered, compared and promoted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.utils.file_utils import local_file_uri_to_path

from tests.conftest import events, split_by_time, split_by_user
from tests.registry.conftest import GOOD, POOR, Shop
from twotower.common.errors import (
    ArtifactError,
    ComparisonError,
    RegistryError,
    TrackingError,
)
from twotower.config.reporting import MlflowConfig
from twotower.registry.promote import FORCED_TAG, PROMOTION_TAG
from twotower.registry.versions import CANDIDATE, CHAMPION, Registry, data_digest


def test_a_candidate_must_beat_the_champion(rivals: Shop) -> None:
    assert (rivals.number_of(CANDIDATE), rivals.number_of(CHAMPION)) == (2, 1)
    second = rivals.promote()
    assert second.promoted
    assert second.comparison is not None
    assert second.comparison.candidate > second.comparison.champion
    assert second.comparison.p_value <= 0.05
    assert second.reason == f"it beats version 1: {second.comparison.figures}"
    assert rivals.number_of(CHAMPION) == 2
    assert rivals.promotion(2)["champion"] == 1
    assert rivals.promotion(2)["comparison"]["alpha"] == 0.05
    assert (second.comparison.looks, second.comparison.note) == (1, "")

    worse = rivals.promote(number=1)
    assert not worse.promoted
    assert worse.reason.startswith("it does not beat version 2 at alpha 0.05: -0.")
    assert rivals.number_of(CHAMPION) == 2
    assert rivals.promotion(1)["promoted"] is False

    assert not worse.forced
    assert worse.comparison is not None
    assert worse.comparison.note.startswith("this test split has been looked at 2 times: ")
    forced = rivals.promote(number=1, force=True)
    assert (forced.promoted, forced.forced) == (True, True)
    assert rivals.number_of(CHAMPION) == 1
    assert rivals.registry.by_number(1).tags[FORCED_TAG] == worse.reason
    assert rivals.promote().promoted  # back again
    assert rivals.number_of(CHAMPION) == 2


def test_a_model_is_registered_once_and_the_first_is_champion(shop: Shop) -> None:
    folder = shop.workspace.model("model", GOOD)
    assert [shop.register(folder), shop.register(folder)] == [1, 1]
    run = shop.registry._client.get_run(shop.registry.by_number(1).run_id)
    assert run.data.metrics == {"test/optimized/mrr": 0.5}
    assert run.data.params == {"dim": "8"}
    assert "mlflow.source.git.commit" in run.data.tags
    first = shop.promote()
    assert (first.promoted, first.comparison) == (True, None)
    assert first.reason == "it is the first champion"
    assert shop.promote().reason == "it is already the champion"


def test_the_package(promoted: Shop, tmp_path: Path) -> None:
    from mlflow.artifacts import download_artifacts
    from mlflow.models import get_model_info

    info = get_model_info("models:/shop@candidate")
    assert info.signature is not None
    assert [column.name for column in info.signature.inputs] == ["user_id"]
    assert {param.name for param in info.signature.params} == {
        "k",
        "exclude_seen",
        "diversity",
        "max_per",
    }
    assert info.saved_input_example_info is not None
    artifacts, trained_on = promoted.registry.download(promoted.registry.by_number(2), tmp_path)
    assert artifacts.meta["quality"] == GOOD
    assert len(trained_on) == 300  # 30 users, 12 rows each, 2 of them test rows
    folder = Path(download_artifacts("models:/shop/2", dst_path=str(tmp_path / "whole")))
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all("==" in line for line in pinned)
    assert {line.split("==")[0] for line in pinned} == {"mlflow", "numpy", "pandas", "pyarrow"}
    assert (folder / "code" / "twotower" / "serving").is_dir()
    assert not list(folder.glob("code/**/__pycache__"))


def test_a_model_that_knows_the_test_rows_is_neither_challenger_nor_opponent(rivals: Shop) -> None:
    folder = rivals.workspace.model("all", POOR, trained_on=("train", "validation", "test"))
    assert rivals.register(folder) == 3
    with pytest.raises(RegistryError, match=r"60 of 60 test rows .* of version 3"):
        rivals.promote()
    rivals.registry.set_alias(CHAMPION, rivals.registry.by_number(3))
    known = "60 of 60 test rows are in the training data of version 3"
    with pytest.raises(ComparisonError, match=f"version 2 is not promoted: {known}; --force"):
        rivals.promote(number=2)
    assert rivals.number_of(CHAMPION) == 3
    assert rivals.promote(number=2, force=True).promoted
    assert rivals.registry.by_number(2).tags[FORCED_TAG] == known


def test_a_week_later_both_are_scored_on_the_new_test_rows(promoted: Shop) -> None:
    """The champion knows neither the new users nor the new items; it serves what it has."""
    more = events(seed=1, num_users=40, num_items=30)
    week = more.assign(timestamp=more["timestamp"] + 10_000)
    both = pd.concat([events(seed=0), week], ignore_index=True)
    promoted.workspace.new_data(split_by_time(both))
    promoted.register(promoted.workspace.model("new", POOR))
    decision = promoted.promote()
    assert not decision.promoted
    assert decision.comparison is not None
    assert decision.comparison.champion > decision.comparison.candidate


def test_new_users_are_scored_by_what_is_folded_in(shop: Shop) -> None:
    """Neither model has a vector of theirs, and popularity would make both alike."""
    shop.workspace.new_data(split_by_user(events(seed=0)))
    trained_on = ("train", "validation_history", "validation")
    for name, quality in (("poor", POOR), ("good", GOOD)):
        shop.register(shop.workspace.model(name, quality, trained_on))
        decision = shop.promote()
    assert decision.comparison is not None
    assert decision.comparison.num_users <= 6
    assert decision.comparison.candidate > 1.2 * decision.comparison.champion
    known = shop.workspace.splits["test_history"]
    before = data_digest(shop.workspace.prepared)
    shop.workspace.new_data(shop.workspace.splits | {"test_history": known[1:]})
    assert data_digest(shop.workspace.prepared) != before


def test_data_of_another_run_is_refused(rivals: Shop) -> None:
    folder = rivals.workspace.model("old", GOOD)
    rivals.workspace.new_data(split_by_time(events(seed=1)))
    with pytest.raises(RegistryError, match="is not the data that version 2 was trained on"):
        rivals.promote()
    with pytest.raises(RegistryError, match="was not trained on the current prepared data"):
        rivals.register(folder)


def test_without_prepared_data_nothing_is_compared(rivals: Shop) -> None:
    (rivals.workspace.prepared / "test.parquet").unlink()
    with pytest.raises(RegistryError, match=r"test\.parquet: .*; run dvc pull or dvc repro"):
        rivals.promote()


@contextmanager
def lost(shop: Shop, number: int) -> Iterator[None]:
    """The store without the files of a version; other tests need them again."""
    uri = shop.registry._client.get_model_version_download_uri("shop", str(number))
    folder = Path(local_file_uri_to_path(uri))
    aside = folder.rename(folder.with_name("aside"))
    try:
        yield
    finally:
        aside.rename(folder)


def test_a_champion_that_the_store_has_lost_can_be_replaced_by_force(rivals: Shop) -> None:
    with lost(rivals, 1):
        with pytest.raises(TrackingError, match=r"version 2 is not promoted: .* --force promotes"):
            rivals.promote()
        assert rivals.number_of(CHAMPION) == 1
        forced = rivals.promote(force=True)
    assert (forced.promoted, forced.forced) == (True, True)
    assert rivals.number_of(CHAMPION) == 2
    assert FORCED_TAG in rivals.registry.by_number(2).tags


def test_a_candidate_that_the_store_has_lost_is_not_promoted_even_by_force(rivals: Shop) -> None:
    with lost(rivals, 2), pytest.raises(TrackingError, match="MLflow's registry cannot be used"):
        rivals.promote(force=True)
    assert rivals.number_of(CHAMPION) == 1


@pytest.mark.parametrize("has_champion", [False, True])
def test_a_champion_that_comes_during_the_comparison_is_not_overwritten(
    rivals: Shop, monkeypatch: pytest.MonkeyPatch, has_champion: bool
) -> None:
    registry, other = rivals.registry, 1
    if has_champion:
        other = rivals.register(rivals.workspace.model("other", GOOD - 0.1))
    else:
        registry._client.delete_registered_model_alias("shop", CHAMPION)
    download = registry.download

    def meanwhile(*arguments: Any) -> Any:
        registry.set_alias(CHAMPION, registry.by_number(other))
        return download(*arguments)

    monkeypatch.setattr(registry, "download", meanwhile)
    with pytest.raises(RegistryError, match="became champion in the meantime; try again"):
        rivals.promote(number=2)
    assert rivals.number_of(CHAMPION) == other
    assert PROMOTION_TAG not in registry.by_number(2).tags


def test_a_damaged_folder_is_refused(shop: Shop) -> None:
    folder = shop.workspace.model("model", GOOD)
    (folder / "item_vecs.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"item_vecs\.npy"):
        shop.register(folder)
    assert shop.registry.versions() == []


def test_without_a_candidate_there_is_nothing_to_promote(shop: Shop) -> None:
    with pytest.raises(RegistryError, match="shop has no candidate"):
        shop.promote()
    with pytest.raises(RegistryError, match="shop has no version 7"):
        shop.promote(number=7)


def test_a_store_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="MLflow's registry cannot be used") as raised:
        Registry(MlflowConfig(tracking_uri="http://user:secret@127.0.0.1:9"), tmp_path)
    assert "secret" not in str(raised.value)
