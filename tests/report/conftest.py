"""A finished pipeline of a tiny shop whose texts are as awkward as texts can be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import events
from tests.serving.conftest import make  # noqa: F401 - builds models of given vectors
from twotower.config import load_config
from twotower.ingest import prepare
from twotower.refit import RefitOutputs, refit
from twotower.report.page import render
from twotower.report.sources import Sources, read_sources
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.outputs import SearchOutputs
from twotower.search.run_search import run_search

RUN = "document.body.dataset.pwned=1"
"""What a script would do if it ran."""
TITLES = [
    "<script>alert('pwned')</script>",
    "</script><b>bold</b>",
    "\"Quoted\" & 'all'",
    "Ñandú 🦙",
    f'<img src=x onerror="{RUN}">',
    f"</script><script>{RUN}</script>",
    f'<a href="javascript:{RUN}">click</a>',
    f"<svg/onload={RUN}>",
    f"';{RUN};//",
    f"<!--<script>{RUN}",
    "a\u2028b\x1b[31m",
    "\u202eright to left",
]
"""Of the first items."""
PARAMS: dict[str, Any] = {
    "data": {
        "items": {"title": "name", "features": {"group": "categorical"}},
        "users": {"features": {}},
    },
    "model": {"dim": 4},
    "train": {"epochs": 2, "batch_size": 64, "device": "cpu"},
    "hpo": {
        "n_trials": 4,
        "workers": 0,
        "search_space": {
            "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True},
            "loss": {"type": "categorical", "choices": ["softmax", "bpr"]},
        },
    },
    "refit": {"seeds": 2},
}


def write_shop(root: Path) -> None:
    """Raw files: text ids that are easy to find in a page, and items with titles."""
    folder = root / "shop"
    folder.mkdir(parents=True)
    rows = events(seed=0)
    items = sorted(rows["item_id"].unique())
    rows["user_id"] = [f"ana{user}@example.org" for user in rows["user_id"]]
    rows[["user_id", "item_id", "timestamp"]].to_csv(folder / "interactions.csv", index=False)
    names = [*TITLES, *(f"Item no. {item}" for item in items[len(TITLES) : -1]), ""]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    groups = ["a<b", "c&d", f"<img src=x onerror={RUN}>"]
    lines = [f"{item},{name},{groups[item % 3]}" for item, name in zip(items, quoted, strict=True)]
    text = "\n".join(["item_id,name,group", *lines]) + "\n"
    (folder / "items.csv").write_text(text, encoding="utf-8")


def run_pipeline(root: Path, **sections: Any) -> Path:
    """All that the stages write, in a folder; `sections` change PARAMS."""
    write_shop(root)
    params = {name: {**PARAMS.get(name, {}), **sections.get(name, {})} for name in
              {*PARAMS, *sections}}  # fmt: skip
    params["data"] = {**params["data"], "root": str(root / "shop")}
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")  # JSON is YAML
    config, prepared = load_config(root / "params.yaml"), root / "data" / "prepared"
    prepare(config, prepared, root / "metrics" / "data.json")
    outputs = SearchOutputs(
        root / "hpo_study.db",
        root / "hpo_results.json",
        root / "metrics" / "hpo_trials.csv",
        root / "metrics" / "validation.json",
    )
    console = SearchConsole(Goals.of(config.hpo))
    results = run_search(config, root, console, prepared, outputs, warm_start=root / "none.json")
    console.close()
    refit(config, results, prepared, RefitOutputs(root / ".artifacts_best",
                                                  root / "metrics" / "test.json"))  # fmt: skip
    return root


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository; not to be changed."""
    return run_pipeline(tmp_path_factory.mktemp("report") / "shop")


@pytest.fixture(scope="session")
def sources(finished: Path) -> Sources:
    return read_sources(finished)


@pytest.fixture(scope="session")
def page(sources: Sources) -> str:
    """The whole page, which takes most of a second to draw."""
    return render(sources)


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of the repository, to be changed."""
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def changed(copy: Path) -> Callable[..., Sources]:
    """The sources, with keys of one JSON file changed: changed("metrics/verdict.json", alpha=1)."""

    def change(name: str, **keys: Any) -> Sources:
        content = json.loads((copy / name).read_text(encoding="utf-8"))
        (copy / name).write_text(json.dumps(content | keys), encoding="utf-8")
        return read_sources(copy)

    return change
