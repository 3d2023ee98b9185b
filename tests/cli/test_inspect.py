"""From a folder of exports to parameters with which the pipeline reads it, without a hand edit."""

import shutil
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.conftest import REPOSITORY
from tests.inspection.exports import EXPORTS, NUM_ITEMS, NUM_USERS, PER_USER, lines, write
from twotower.config import load_config

SUMMARY = f"{NUM_USERS * PER_USER} events, {NUM_USERS} users, {NUM_ITEMS} items\n"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path / "params.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", EXPORTS)
def test_what_it_writes_passes_the_check(name: str, root: Path, params: Path) -> None:
    EXPORTS[name](root)
    assert "next: twotower check\n" in twotower("inspect", root, "--params", params).stdout
    assert twotower("check", "--params", params).stdout.startswith(SUMMARY)
    before = params.read_bytes()
    twotower("inspect", root, "--params", params)
    assert params.read_bytes() == before


def test_a_spanish_till(root: Path, params: Path) -> None:
    EXPORTS["spanish"](root)
    output = twotower("inspect", root, "--params", params).stdout
    assert "importe may be one, if more of it is more interest" in output
    assert "jose7@correo.es" not in output + params.read_text(encoding="utf-8")
    data = load_config(params).data
    assert (data.separator, data.encoding, data.decimal, data.header) == (";", "cp1252", ",", True)
    assert data.interactions.time_format == "%d/%m/%Y %H:%M"
    assert data.interactions.columns.weight == ""  # nobody said that money is interest
    assert list(data.users.features) == ["población"]
    assert {name: spec.kind for name, spec in data.items.features.items()} == {
        "familia": "categorical",
        "pvp": "numeric",
    }


def test_other_keys_and_comments_stay(root: Path, params: Path) -> None:
    before, before_text = load_config(params), params.read_text(encoding="utf-8")
    kept = [
        line for line in params.read_text(encoding="utf-8").splitlines() if "on_invalid" in line
    ]
    EXPORTS["movielens"](root)
    twotower("inspect", root, "--params", params)
    after = load_config(params)
    assert after.model_copy(update={"data": before.data}) == before
    text = params.read_text(encoding="utf-8")
    assert kept[0] in text
    assert "# null: recognised by name; false: do not use one" in text
    assert text.partition("\nguard:")[2] == before_text.partition("\nguard:")[2]
    assert "city" not in after.data.users.features  # of the sample


def test_weights_that_were_set_stay(root: Path, params: Path) -> None:
    text = params.read_text(encoding="utf-8").replace("purchase: 4}", "purchase: 9}")
    params.write_text(text, encoding="utf-8")
    EXPORTS["portuguese"](root)
    twotower("inspect", root, "--params", params)
    assert load_config(params).data.event_weights["compra"] == 9


def test_parameters_without_a_section_of_data(root: Path, params: Path) -> None:
    params.write_text("seed: 7  # a prime\n", encoding="utf-8")
    EXPORTS["german"](root)
    twotower("inspect", root, "--params", params)
    assert params.read_text(encoding="utf-8").startswith("seed: 7  # a prime\ndata:\n  root: ")
    assert load_config(params).data.items.file == "Artikel.csv"


def test_print_changes_nothing(root: Path, params: Path) -> None:
    EXPORTS["parts"](root)
    before = params.read_bytes()
    shown = twotower("inspect", root, "--params", params, "--print").stdout
    assert params.read_bytes() == before
    assert shown.startswith("data:\n")
    assert "\nguard:" not in shown
    twotower("inspect", root, "--params", params)
    assert shown.strip() in params.read_text(encoding="utf-8")


def test_a_folder_outside_the_project_is_named_from_the_root(
    root: Path, params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `twotower init --data` names it."""
    EXPORTS["german"](root)
    (root / "project").mkdir()
    for home, folder, written in (
        (root / "project", "..", root.as_posix()),
        (root.parent, "./exports", "exports"),
        (root, ".", "."),
    ):
        monkeypatch.chdir(home)
        twotower("inspect", folder, "--params", params)
        assert load_config(params).data.root == written


def test_what_it_is_unsure_of_is_marked(root: Path, params: Path) -> None:
    EXPORTS["movielens_100k"](root)
    shown = twotower("inspect", root, "--params", params, "--print").stdout
    assert "      weight: 3              # unsure: column 3 was taken for it" in shown
    assert "    file: false              # unsure: u.item was left out: its separator is" in shown


def test_names_of_any_length_fit_a_screen(root: Path, params: Path) -> None:
    name = "t" * 5_000
    rows = (f"{n % 9},{n % 7},{1_700_000_000 + n}" for n in range(60))
    write(root / "orders.csv", lines(f"user_id,item_id,{name}", *rows))
    for command in (["inspect", root], ["check"]):
        said = twotower(*command, "--params", params).stdout
        assert max(map(len, said.splitlines())) < 1_100
    assert load_config(params).data.interactions.columns.timestamp == name


def test_a_folder_without_interactions(root: Path, params: Path) -> None:
    before = params.read_bytes()
    write(root / "orders.csv", lines("order_id,customer_id", *(f"{n},{n % 7}" for n in range(40))))
    write(root / "photo.csv", "PK\x03\x04")
    message = error_of("inspect", root, "--params", params)
    assert "no file has users and items in its rows" in message
    assert "orders.csv (order_id, customer_id)" in message
    assert "photo.csv (not read: " in message
    assert params.read_bytes() == before
    assert error_of("inspect", root / "absent", "--params", params).endswith("no such folder\n")
