"""What diversity and caps do to recommendations: accuracy, coverage, how different lists are, time.

    python -m benchmarks reranking                                 # the time, of a model of its own
    python -m benchmarks.reranking --feature category              # of the sample, after dvc repro
    python -m benchmarks.reranking ../movies --feature genres --out reranking.csv

Asks the model of a project for ten items for each user of the test split, as a caller would, and
scores them against the test rows. The table describes what the second stage costs and gives: no
value of it is chosen by these rows. Columns:

    Recall@10, NDCG@10, coverage@10  as in metrics/test.json
    distance   mean over users of the mean 1 - cosine of the item vectors of two items of a list
    values     mean over users: of the values of the feature in a list, the share that differ
    seconds    of processor time for 1,000 users, the best of three runs, in batches of 1,000
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measured import Line, Scale
from benchmarks.project import prepared_project, run_stage
from twotower import Recommender
from twotower.artifacts import ARTIFACTS
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import one_line_errors
from twotower.data.interactions import ItemLists, pair_keys
from twotower.data.prepared import PREPARED, read_split
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.metrics import Rankings, measure
from twotower.retrieval.caps import Cap
from twotower.serving.query_vectors import tower_width

K = 10
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)
CAPS = (3, 2, 1)
BATCH = 1000
"""Users a call."""
RUNS = 3
AIM = 10.0
"""Times as long as without: then a request over HTTP takes hardly longer."""


def settings(feature: str) -> Iterator[dict[str, Any]]:
    """Arguments of `recommend`, a row each."""
    yield from ({"diversity": diversity} for diversity in DIVERSITIES)
    yield from ({"max_per": {feature: cap}} for cap in CAPS)
    yield {"diversity": 0.3, "max_per": {feature: 2}}


def lists_of(
    model: Recommender, users: Int64Array, how: Mapping[str, Any]
) -> tuple[Int64Array, float]:
    """[num_users, K] items, and the seconds of processor time for 1,000 users."""
    ids = model.artifacts.user_ids.decode(users)
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        found = [model.recommend(batch, K, **how).item_idx for batch in batches]
        took.append(time.process_time() - began)
    return np.concatenate(found), 1000 * min(took) / len(ids)


def distances(items: Int64Array, vectors: Float32Array) -> Float32Array:
    """[num_users] mean 1 - cosine of two items of a list; NaN for one of less than two items.

    Args:
        items: [num_users, k]; -1 past the end.
        vectors: [num_items, dim] of the items.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)[items]
    units[items < 0] = 0
    pairs = np.triu_indices(items.shape[1], 1)
    cosines = np.einsum("upd,uqd->upq", units, units)[:, *pairs]
    both = (items[:, pairs[0]] >= 0) & (items[:, pairs[1]] >= 0)
    counts = both.sum(axis=1)
    total = ((1 - cosines) * both).sum(axis=1)
    means: Float32Array = np.full(len(items), np.nan, np.float32)
    np.divide(total, counts, out=means, where=counts > 0)
    return means


def shares_of_values(items: Int64Array, values: ItemLists) -> Float32Array:
    """[num_users] different values of a list, as a share of all its values; NaN without any.

    Args:
        items: [num_users, k]; -1 past the end.
        values: codes of each item; 0 is a missing value.
    """
    found = []
    for row in items:
        codes = values.select(row).items
        codes = codes[codes > 0]
        found.append(len(np.unique(codes)) / len(codes) if len(codes) else np.nan)
    return np.array(found, np.float32)


def target_of(project: Path, model: Recommender) -> EvaluationSet:
    """The test rows; the model was trained on all earlier ones."""
    prepared = project / PREPARED
    splits = {name: read_split(prepared / f"{name}.parquet")
              for name in ("train", "validation", "test")}  # fmt: skip
    history = pd.concat([splits["train"], splits["validation"]])
    return evaluation_set(model.artifacts.catalogue, history, splits["test"], exclude_seen=True)


def table(project: Path, feature: str) -> pd.DataFrame:
    """A row for each setting."""
    model = Recommender.load(project / ARTIFACTS)
    target = target_of(project, model)
    values = Cap.of(feature, 1, model.artifacts.catalogue.items.features).values
    vectors = np.asarray(model.artifacts.item_vecs[:, : tower_width(model.artifacts)])
    rows = []
    for how in settings(feature):
        items, seconds = lists_of(model, target.users, how)
        cap = how.get("max_per", {}).get(feature, "")
        row = {"diversity": how.get("diversity", 0.0), "max_per": cap, **accuracy(items, target)}
        row["distance"] = np.nanmean(distances(items, vectors))
        row["values"] = np.nanmean(shares_of_values(items, values))
        rows.append(row | {"seconds": seconds})
    return pd.DataFrame(rows)


def accuracy(items: Int64Array, target: EvaluationSet) -> dict[str, float]:
    """Metrics of the lists, by key."""
    keys = pair_keys(np.arange(len(target))[:, None], items, target.num_items)
    hits = np.isin(keys, target.relevant.keys(target.num_items)) & (items >= 0)
    scores = measure(Rankings(items, hits, np.zeros(len(target), np.int64)), target, (K,)).summary()
    return {key: scores[key] for key in (f"recall_at_{K}", f"ndcg_at_{K}", f"coverage_at_{K}")}


def lines(_: Scale) -> Iterator[Line]:
    """Diversity and a cap beside neither, of a model of the sample that is trained for it."""
    feature = "category"
    with tempfile.TemporaryDirectory() as name:
        short = {"hpo.n_trials": 1, "refit.seeds": 1}
        folder = prepared_project(Path(name) / "sample", short)
        for stage in ("hpo", "refit"):
            run_stage(stage, folder)
        model = Recommender.load(folder / ARTIFACTS)
        users = np.arange(model.num_users)
        ways: dict[str, dict[str, Any]] = {
            "plain": {},
            "diversity 0.3": {"diversity": 0.3},
            f"max_per 2 of each {feature}": {"max_per": {feature: 2}},
        }
        took = {way: lists_of(model, users, how)[1] for way, how in ways.items()}
    plain = took.pop("plain")
    for way, seconds in took.items():
        what = f"1,000 lists of {K}, {way}"
        yield Line(what, "s", aim=AIM, ours=seconds, limit=plain, against="neither")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the model of a project."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path, nargs="?", default=Path(), help="its folder")
    parser.add_argument("--feature", required=True, help="of the items, to cap")
    parser.add_argument("--out", type=Path, help="a CSV file")
    options = parser.parse_args(arguments)
    with one_line_errors():
        found = table(options.project, options.feature)
    print(found.to_string(index=False, float_format="%.4f"))
    if options.out is not None:
        found.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
