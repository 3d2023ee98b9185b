"""`twotower check`."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.ingest.conftest import Shop
from twotower.common.errors import DataError
from twotower.ingest.data_profile import LAST_RUN, read_profile, write_last_run
from twotower.ingest.summary import summary


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop with its params.yaml, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path)
    (tmp_path / "params.yaml").write_text(json.dumps(shop.params()))
    return shop


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_prepare_says_and_writes_nothing(shop: Shop) -> None:
    before = files(shop.folder)
    output = twotower("check").stdout
    assert files(shop.folder) == before
    last = "params.yaml and the data are valid; nothing was written"
    assert output == f"{summary(shop.run())}\n{last}\n"


def test_bad_data_is_told_as_prepare_tells_it(shop: Shop) -> None:
    shop.write("interactions.csv", "user_id,item_id,timestamp\n1,10,yesterday\n")
    with pytest.raises(DataError) as raised:
        shop.run()
    assert error_of("check") == f"{raised.value}\n"


def test_several_problems_have_a_line_each(shop: Shop) -> None:
    shop.write("interactions.csv", "user_id,item_id,timestamp\n1,10,soon\n,11,2024-01-01\n")
    before = files(shop.folder)
    ran = twotower("check", status=1)
    first, *problems, advice = ran.stderr.splitlines()
    assert (ran.stdout, first) == ("", "error: 2 problems with the raw files:")
    assert all(problem.startswith(f"- {shop.root}") for problem in problems)
    assert advice == "for invalid rows, fix the file or set data.on_invalid: drop"
    assert files(shop.folder) == before


def test_another_folder_of_data(shop: Shop) -> None:
    assert error_of("check", "--data-root", "absent").startswith("absent: no such folder")
    shop.root.rename(shop.folder / "elsewhere")
    assert "6 events, 2 users" in twotower("check", "--data-root", "elsewhere").stdout
    assert error_of("check").startswith(f"{shop.root}: no such folder")


def test_bad_params_are_named(shop: Shop) -> None:
    params = shop.params() | {"model": {"dim": -8}}
    (shop.folder / "mine.yaml").write_text(json.dumps(params))
    assert error_of("check", "--params", "mine.yaml").startswith("mine.yaml: model.dim")


def test_guard_rails_stop_it(shop: Shop) -> None:
    shop.run()
    write_last_run(LAST_RUN, read_profile(shop.output))
    twotower("check")
    shop.write("interactions.csv", "user_id,item_id\n1,10\n2,11\n1,12\n")
    assert "guard.min_rows" in error_of("check")


@pytest.mark.usefixtures("shop")
def test_data_that_git_lacks_is_noted() -> None:
    assert "note:" not in twotower("check").stdout
    subprocess.run(["git", "init", "--quiet"], check=True)
    output = twotower("check", "--data-root", "raw").stdout
    assert "note: raw/interactions.csv, raw/items.csv, raw/users.csv: in neither git" in output


@pytest.mark.parametrize("column", ["on", "no", "y", "1e2"])
def test_a_column_may_have_a_name_that_other_dialects_of_yaml_take_for_something_else(
    shop: Shop, column: str
) -> None:
    rows = ["1,10,train", "1,11,test", "2,11,train", "2,10,validation", "2,12,train"]
    shop.bare("\n".join([f"user_id,item_id,{column}", *rows, ""]))
    written = f"'{column}'" if column == "1e2" else column  # a number in every dialect of today
    (shop.folder / "params.yaml").write_text(
        f"data: {{root: raw}}\nsplit: {{strategy: given, column: {written}}}\n"
    )
    assert "train: 3 rows" in twotower("check").stdout


def test_a_lock_that_was_cut_short_is_named(shop: Shop) -> None:
    (shop.folder / "dvc.lock").write_text("schema: '2", encoding="utf-8")
    assert error_of("check").startswith("dvc.lock: damaged, as by a kill")
