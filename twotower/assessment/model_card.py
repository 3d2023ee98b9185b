"""The model card: what is known of a model, for people, in Hugging Face's format.

Source: Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, and the metadata that
huggingface.co/docs/hub/model-cards describes.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twotower.artifacts.folder import CARD
from twotower.assessment.bars import in_order
from twotower.assessment.clusters import in_clusters
from twotower.assessment.summary import too_few
from twotower.common.files import round_float
from twotower.common.scorers import MODEL, RANDOM
from twotower.config import Config
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.evaluation.item_groups import ItemGroup, assessed_as, split_key
from twotower.evaluation.metrics import metric_label

if TYPE_CHECKING:
    from twotower.assessment.assess import Assessment

GROUPS = {
    "user_activity": "{} users, by their training rows",
    "item_popularity": "{} items, by their training rows",
}
"""Slices in the card, and how each of their groups is called."""


@dataclass(frozen=True)
class CardFacts:
    """What refit knows of the model.

    Attributes:
        config: all of params.yaml.
        search: content of hpo_results.json.
        splits: rows by split, those that have any.
        catalogue: users and items that have vectors.
        meta: what model_meta.json will hold.
        rows: training rows, as indices into `catalogue`.
        assessment: on the test split.
    """

    config: Config
    search: Mapping[str, Any]
    splits: Mapping[str, pd.DataFrame]
    catalogue: Catalogue
    meta: Mapping[str, Any]
    rows: Interactions
    assessment: "Assessment"


def model_card(facts: CardFacts) -> str:
    """The card as Markdown, with metadata for Hugging Face's hub at its head."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, whose values are cells of ours
        loader=PackageLoader("twotower.assessment", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    card, meta, search = facts.config.refit.card, facts.meta, facts.search
    made_with = search.get("provenance", {})
    return environment.get_template(CARD).render(
        front_matter=_front_matter(facts).rstrip(),
        name=card.name,
        summary=_summary(facts),
        serves=_serves(meta["model"]),
        data=f"Interactions of users with items{f': {card.dataset}' if card.dataset else ''}. "
        f"The test split was held out from the search{_held_out_from(facts)}.",
        splits=list(_splits(facts.splits)),
        trained_on=" + ".join(meta["trained_on"]) + _start(meta),
        user_features=", ".join(facts.catalogue.users.features.columns) or "none",
        item_features=", ".join(facts.catalogue.items.features.columns) or "none",
        **_scores(facts),
        limits=list(_limits(facts)),
        hyperparameters=", ".join(f"`{key}: {meta[part][key]}`" for part, key in _searched(facts)),
        seed=meta["seed"],
        identity=search.get("identity", ""),
        versions=", ".join(f"{k} {made_with[k]}" for k in ("torch", "optuna") if k in made_with),
        license=card.license or "Not stated (`refit.card.license`).",
    )


def _front_matter(facts: CardFacts) -> str:
    from ruamel.yaml import YAML

    card, metrics = facts.config.refit.card, facts.assessment.metrics
    _, group = assessed_as(facts.config.hpo.objective)
    results = []
    if metrics["scored"]:
        values = [
            {
                "type": f"{key}{group.suffix}",
                "name": f"{metric_label(key)}{_among(group)}",
                "value": round_float(metrics[MODEL][key]),
            }
            for key in _shown(facts)
        ]
        data = {"type": "interactions", "name": card.dataset or "interactions", "split": "test"}
        task = {"type": "recommendation", "name": "Top-k recommendation"}
        results.append({"task": task, "dataset": data, "metrics": values})
    content: dict[str, Any] = {
        "license": card.license or "unknown",
        "library_name": "twotower",
        "tags": ["recommender-systems", "two-tower", "retrieval"],
        **({"model-index": [{"name": card.name, "results": results}]} if results else {}),
    }
    yaml, buffer = YAML(typ="safe"), io.StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(content, buffer)
    return buffer.getvalue()


def _among(group: ItemGroup) -> str:
    """Which items are looked for, if these are not all."""
    return f" among {group.summary}" if group.suffix else ""


def _shown(facts: CardFacts) -> list[str]:
    """The metrics of the card: the objectives of its items, and the usual ones at the cut-off."""
    objective = facts.assessment.verdict["objective"]
    first, *others = map(split_key, facts.config.hpo.directions)
    further = [metric for metric, group in others if group == first[1]]
    k = objective.rpartition("_at_")[2] if "_at_" in objective else facts.config.evaluate.ks[0]
    return list(dict.fromkeys([objective, *further, f"recall_at_{k}", f"ndcg_at_{k}", "mrr"]))


def _summary(facts: CardFacts) -> str:
    model, meta = facts.meta["model"], facts.meta
    return (
        f"A two-tower recommender: vectors of {model['dim']} dimensions for {meta['num_users']:,} "
        f"users and {meta['num_items']:,} items, compared by "
        f"{'cosine' if model['similarity'] == 'cosine' else 'inner product'}."
    )


def _held_out_from(facts: CardFacts) -> str:
    """Besides the search."""
    if facts.meta["final"] != "all":
        return " and from training"
    scored = facts.assessment.metrics["scored"]
    return " and from the training of the model that was scored" if scored else ""


def _start(meta: Mapping[str, Any]) -> str:
    """What a fine-tuned model continues."""
    start = meta.get("start")
    return f", and continues the model {start['model']}" if start else ""


def _serves(model: Mapping[str, Any]) -> str:
    if model["user_tower"] == "id":
        return (
            "New users get the mean of the vectors of the items in their history, which was not "
            "trained, or popular items."
        )
    return "New users are known by their history; without one they get popular items."


@dataclass(frozen=True)
class _Split:
    """A row of the table of splits."""

    name: str
    rows: str
    users: str
    items: str
    first: str
    last: str


def _splits(splits: Mapping[str, pd.DataFrame]) -> Iterator[_Split]:
    for name, rows in splits.items():
        counts = [f"{count:,}" for count in (len(rows), *rows[["user_id", "item_id"]].nunique())]
        times = rows["timestamp"]
        ends = ["", ""]
        if (times != 0).any():
            ends = [str(np.datetime64(int(end), "s"))[:10] for end in (times.min(), times.max())]
        yield _Split(name, *counts, *ends)


@dataclass(frozen=True)
class _Scorer:
    """A row of the table of metrics."""

    name: str
    cells: Sequence[str]


def _scores(facts: CardFacts) -> dict[str, Any]:
    """What the sections on metrics need."""
    assessment = facts.assessment
    if not assessment.metrics["scored"]:
        return {"scored": False, "why_unscored": assessment.verdict["reason"]}
    verdict, metrics, slices = assessment.verdict, assessment.metrics, assessment.slices
    shown, objective = _shown(facts), verdict["objective"]
    among = _among(assessed_as(facts.config.hpo.objective)[1])
    intervals = assessment.intervals["intervals"]

    def cell(scorer: str, key: str) -> str:
        value = f"{metrics[scorer][key]:.4f}"
        ends = intervals.get(scorer, {}).get(key)
        return value if ends is None else f"{value} [{ends[0]:.4f}, {ends[1]:.4f}]"

    scorers = [
        _Scorer(name, [cell(name, key) for key in shown])
        for name in in_order(metrics, objective)
        if "failure" not in metrics[name]
    ]
    are_new = "num_folded_in_rows" in metrics["evaluated"]
    users = f"{verdict['num_users']:,} {'new users' if are_new else 'users'}"
    return {
        "scored": True,
        "users": users + in_clusters(verdict.get("num_clusters")),
        "exclude_seen": " but those of the training rows" * facts.config.evaluate.exclude_seen,
        "among": among,
        "objective": f"{metric_label(objective)}{among}",
        "verdict": verdict["sentence"],
        "metrics": [metric_label(key) for key in shown],
        "scorers": scorers,
        "further": [f"Left out: {n} ({why})." for n, why in verdict["left_out"].items()],
        "compared_with": slices["compared_with"],
        "slices": list(_slices(slices)),
    }


def _slices(slices: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for kind, label in GROUPS.items():
        for name, group in (slices.get(kind) or {}).items():
            means, p = group["means"], group["p_holm"]
            yield {
                "name": label.format(name),
                "users": f"{group['num_users']:,}",
                "model": f"{means[MODEL]:.4f}",
                "other": f"{means[slices['compared_with']]:.4f}",
                "difference": f"{group['difference']:+.4f}",
                "p": "" if p is None else f"{p:.2g}",
            }


def _limits(facts: CardFacts) -> Iterator[str]:
    """What a reader should know before using the model, as far as the numbers say it."""
    model, assessment = facts.meta["model"], facts.assessment
    yield (
        "The metrics are of past choices, which depended on what people were shown. Whether the "
        "model helps is seen in an experiment with users."
    )
    if assessment.metrics["scored"]:
        objective = assessment.verdict["objective"]
        low, high = assessment.intervals["intervals"][MODEL][objective]
        if too_few(low, high):
            yield f"The test split has too few users: {metric_label(objective)} is not known well."
        if advice := assessment.slices["advice"]:
            yield advice[0].upper() + advice[1:] + "."
        k = facts.config.evaluate.ks[-1]
        shares = [f"{assessment.metrics[n][f'coverage_at_{k}']:.0%}" for n in (MODEL, RANDOM)]
        yield (
            f"Lists of {k} items reach {shares[0]} of the catalogue over all test users "
            f"(random lists: {shares[1]})."
        )
    if facts.meta["final"] == "all" and assessment.metrics["scored"]:
        yield "The metrics are of a model without the test rows; this one was trained on them too."
    trained = np.unique(facts.rows.item_idx[facts.rows.item_idx >= 0])
    if num_cold := facts.meta["num_items"] - len(trained):
        known = "known by their features alone"
        how = "not trained" if model["item_tower"] == "id" or not model["features"] else known
        yield f"{num_cold:,} items have no training rows: their vectors are {how}."
    groups = ": see the groups above" if assessment.metrics["scored"] else ""
    yield f"Users were not compared by their features, such as age or place{groups}."


def _searched(facts: CardFacts) -> list[tuple[str, str]]:
    """Section and key of the hyperparameters that the search chose."""
    space = facts.config.search_space
    names = sorted({space.target(name) for name in facts.search["best_params"]})
    return [
        (part, name) for name in names for part in ("model", "train") if name in facts.meta[part]
    ]
