"""`twotower recommend`."""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.cli.command import error_of, twotower
from tests.serving.conftest import ASKED, LINE, WRITTEN, composed, write_model
from twotower.data.features import Categorical, Features, Numeric
from twotower.serving import Recommender, batch

Run = Callable[..., pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seen = [(0, 4), (0, 0), (1, 0), (2, 3)]
    return write_model(tmp_path / "model", [[1.0], [-1.0], [0.0]], LINE, seen)


def line(folder: Path, *arguments: Any, out: str = "recs.parquet") -> list[Any]:
    return ["recommend", *arguments, "--artifacts", folder, "--out", folder.parent / out]


@pytest.fixture
def run(folder: Path) -> Run:
    def command(*arguments: Any, out: str = "recs.parquet") -> pd.DataFrame:
        path = folder.parent / out
        twotower(*line(folder, *arguments, out=out))
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype={"user_id": str})
        return pd.read_parquet(path)

    return command


def expected(folder: Path, users: list[int], k: int) -> pd.DataFrame:
    return Recommender.load(folder).recommend(users, k).to_frame()


def same(got: pd.DataFrame, want: pd.DataFrame) -> bool:
    return bool(got.to_dict("list") == want.to_dict("list"))


@pytest.mark.parametrize("chunk", [1, 6, 10**6])
def test_all_users(run: Run, folder: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "CHUNK", chunk)
    assert same(run("--users", "all", "--k", 3), expected(folder, [100, 101, 102], 3))
    groups = {1: 3, 6: 2, 10**6: 1}
    assert pq.ParquetFile(folder.parent / "recs.parquet").num_row_groups == groups[chunk]


def test_the_summary_counts_users_by_source(folder: Path, begun: list[str]) -> None:
    ran = twotower(*line(folder, "--users", "all"))
    path = folder.parent / "recs.parquet"
    assert (ran.stdout, ran.stderr) == ("", f"{path}: users: 2 by model, 1 by popularity\n")
    assert begun == ["loading libraries", "reading the model", "users"]


def test_same_bytes_again(run: Run, folder: Path) -> None:
    digests = set()
    for out in ("a.parquet", "b.parquet"):
        run("--users", "all", out=out)
        digests.add(hashlib.sha256((folder.parent / out).read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [("u.csv", "name,user_id\nAnn,101\nBob,7\n"), ("u.txt", "101\n7\n"), ("u.parquet", "")],
)
def test_users_of_a_file(run: Run, folder: Path, name: str, text: str) -> None:
    path = folder.parent / name
    if text:
        path.write_text(text)
    else:
        pd.DataFrame({"user_id": [101, 7]}).to_parquet(path)
    assert same(run("--users", path, "--k", 2), expected(folder, [101, 7], 2))


def test_csv(run: Run, folder: Path) -> None:
    run("--users", "all", "--k", 1, out="recs.csv")
    assert (folder.parent / "recs.csv").read_text() == (
        '"user_id","rank","item_id","score","source"\n'
        '100,1,1003,4,"model"\n101,1,1001,-2,"model"\n102,1,1000,2,"popularity"\n'
    )


def test_ids_that_a_spreadsheet_would_run_are_exact_and_pointed_out(tmp_path: Path) -> None:
    users = ["-5", "=cmd|' /C calc'!A0", "\t+1+1", 'a\r\n=b,"', "1=1"]
    items = ["@SUM(1)", "x", "y", "z", "1e3"]
    folder = write_model(tmp_path / "m", [[1.0]] * 5, LINE, [], users=users, items=items)
    ran = twotower(*line(folder, "--users", "all", "--k", 5, out="recs.csv"))
    path = tmp_path / "recs.csv"
    note = f"note: {path}: 15 ids begin with =, +, -, @ or a control character"
    assert note in ran.stderr
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(dict.fromkeys(row["user_id"] for row in rows)) == users
    assert {row["item_id"] for row in rows} == set(items)
    ran = twotower(*line(folder, "--users", "all", "--k", 5))
    assert "note" not in ran.stderr


def test_histories_of_new_users(run: Run, folder: Path) -> None:
    path = folder.parent / "new.csv"
    path.write_text("user_id,item_id\n007,1001\n7,55\n007,1003\n007,1001\n")
    got = run("--history", path, "--k", 2, out="recs.csv")
    assert got["user_id"].tolist() == ["007", "007", "7", "7"]
    assert got["item_id"].tolist() == [1004, 1002, 1000, 1003]
    assert got["source"].tolist() == ["fold-in", "fold-in", "popularity", "popularity"]
    kept = run("--history", path, "--k", 1, "--include-seen", out="recs.csv")
    assert kept["item_id"].tolist() == [1004, 1000]


def test_diversity_and_caps(tmp_path: Path) -> None:
    columns = {
        "brand": Categorical(np.array([1, 1, 2, 1, 1]), ("x", "y")),
        "price": Numeric(np.zeros(5, np.float32), 0.0, 1.0),
    }
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [], features=Features(columns))
    (tmp_path / "h.csv").write_text("user_id,item_id\n7,1004\n")
    wanted = {"--users=all": [1004, 1002], f"--history={tmp_path / 'h.csv'}": [1003, 1002]}
    for users, want in wanted.items():
        twotower(*line(folder, users, "--diversity", 0.5, "--max-per", "brand=1"))
        assert pd.read_parquet(tmp_path / "recs.parquet")["item_id"].tolist() == want
    for options, words in {
        ("--max-per", "brand"): "max_per: must be FEATURE=NUMBER, once for each feature",
        ("--max-per", "price=1"): "max_per: price is numeric; must be one of brand, got 'price'",
        ("--max-per", "brand=0"): "max_per: brand: must be an integer of at least 1, got 0",
        ("--diversity", "2"): "diversity must be a number from 0 to 1, got 2.0",
    }.items():
        assert words in error_of(*line(folder, "--users", "all", *options, out="not.csv"))
    assert not (tmp_path / "not.csv").exists()


def test_string_ids_are_not_touched(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE[:2], [], users=["NA"], items=['a,"b"', "01"])
    (tmp_path / "u.csv").write_text("user_id\nNA\n007\n")
    twotower(*line(folder, "--users", tmp_path / "u.csv", "--k", 1, out="r.csv"))
    got = pd.read_csv(tmp_path / "r.csv", dtype=str, keep_default_na=False)
    assert got["user_id"].tolist() == ["NA", "007"]
    assert got["item_id"].tolist() == ["01", 'a,"b"']


def test_text_is_written_as_in_the_data(tmp_path: Path) -> None:
    folder = composed(tmp_path / "m")
    for option, content in {"--users": "user_id", "--history": "user_id,item_id"}.items():
        names = {name: [ASKED] for name in content.split(",")}
        pd.DataFrame(names).to_csv(tmp_path / "in.csv", index=False)
        twotower(*line(folder, option, tmp_path / "in.csv", out="r.csv"))
        got = pd.read_csv(tmp_path / "r.csv")
        assert got["user_id"].tolist() == [WRITTEN, WRITTEN]
        assert got["item_id"].tolist() == (["c", WRITTEN] if option == "--users" else ["c", "a"])


def test_nobody_is_an_empty_file_with_columns(run: Run, folder: Path) -> None:
    (folder.parent / "u.txt").write_text("")
    got = run("--users", folder.parent / "u.txt")
    assert list(got.columns) == ["user_id", "rank", "item_id", "score", "source"]
    assert len(got) == 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("u.csv", None, "no such file"),
        ("u.txt", None, "no such file"),
        ("u.csv", "name\n1\n", "cannot find the id column (user_id, "),
        (
            "u.csv",
            "user_id\n1\nx\n",
            "column 'user_id' must be an integer, as the user ids",
        ),
        ("u.parquet", "nonsense", "damaged or not a Parquet file"),
    ],
)
def test_unusable_files_are_refused(folder: Path, name: str, text: str | None, words: str) -> None:
    path = folder.parent / name
    if text is not None:
        path.write_text(text)
    error = error_of(*line(folder, "--users", path))
    assert error.startswith(f"{path}: ")
    assert words in error
    assert not (folder.parent / "recs.parquet").exists()


def test_histories_with_integer_users(run: Run, folder: Path) -> None:
    path = folder.parent / "h.parquet"
    pd.DataFrame({"user_id": [5, 4, 5], "item_id": [1000, 1001, 1002]}).to_parquet(path)
    got = run("--history", path, "--k", 1)
    assert got["user_id"].tolist() == [5, 4]
    assert got["item_id"].tolist() == [1004, 1004]


def test_files_are_read_as_params_yaml_says(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    columns = "{user: Kdnr, item: Art}"
    Path("params.yaml").write_text(
        f"data: {{encoding: latin-1, on_invalid: drop, interactions: {{columns: {columns}}}}}\n"
        "hpo: not read here\n"
    )
    Path("h.csv").write_bytes("Stra\xdfe;Kdnr;Art\na;7;1000\nb;8;x\n".encode("latin-1"))
    got = run("--history", "h.csv", "--k", 1, out="recs.csv")
    assert got["user_id"].tolist() == ["7"]
    ran = twotower(*line(folder, "--history", "h.csv"))
    assert ran.stderr.startswith("h.csv: rows dropped: 1 bad_item\n")
    Path("params.yaml").write_text("data: {encodin: latin-1}\n")
    assert error_of(*line(folder, "--history", "h.csv")).startswith("params.yaml: data.encodin: ")


def test_impossible_requests_leave_what_was_there(folder: Path) -> None:
    out, users = folder.parent / "recs.parquet", folder.parent / "u.parquet"
    out.write_text("before")
    assert "k must be" in error_of(*line(folder, "--users", "all", "--k", 0))
    pd.DataFrame({"user_id": ["x"]}).to_parquet(users)
    error = error_of(*line(folder, "--users", users))
    assert "must be an integer, as the user ids of this model are; 1 invalid row: row 1" in error
    assert out.read_text() == "before"
    assert not list(folder.parent.glob(".tmp-*"))
    (folder.parent / "recs.csv").mkdir()
    for name, words in {
        "recs.json": "recs.json: the file must end in .csv or .parquet",
        "recs.csv": "recs.csv: is a folder, not a file",
        "recs.parquet/recs.csv": "recs.parquet is a file, so nothing can be put there",
    }.items():
        assert words in error_of(*line(folder, "--users", "all", out=name))


def test_a_link_is_followed(run: Run, folder: Path) -> None:
    target = folder.parent / "elsewhere" / "0.parquet"
    target.parent.mkdir()
    (folder.parent / "latest.parquet").symlink_to(target)
    assert len(run("--users", "all", "--k", 1, out="latest.parquet")) == len(
        pd.read_parquet(target)
    )


def test_wide_vectors_count_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = [[1.0] * 8, [0.5] * 8, [0.0] * 8]
    model = Recommender.load(write_model(tmp_path / "wide", vectors, vectors, [(0, 1)]))
    monkeypatch.setattr(batch, "CHUNK", 16)
    chunks = batch.BatchJob(model.artifacts.user_ids, k=1).chunks(model)
    assert [len(chunk) for chunk in chunks] == [2, 1]


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    error = error_of("recommend", "--users", "all", "--out", "r.csv", "--artifacts", tmp_path)
    assert error.startswith(f"{tmp_path}: not a complete model folder")


def test_a_file_that_is_read_is_not_replaced(folder: Path) -> None:
    users = folder.parent / "users.csv"
    users.write_text("user_id\n100\n")
    said = error_of(*line(folder, "--users", users, out="users.csv"))
    assert said.startswith(f"{users}: holds the users to recommend for, and would be replaced")
    assert "would be replaced" in error_of(
        *line(folder, "--history", folder.parent / "*.csv", out="users.csv")
    )
    assert users.read_text() == "user_id\n100\n"
