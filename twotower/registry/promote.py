"""Promotes the candidate to champion if it is better on test rows that are new to both."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twotower.common.errors import ComparisonError, RegistryError, TrackingError
from twotower.common.files import json_text
from twotower.common.progress import step
from twotower.config import Config
from twotower.data.prepared import PREPARED, read_parts
from twotower.registry.comparison import ChampionComparison, compare
from twotower.registry.training_rows import count_trained_on, row_hashes
from twotower.registry.versions import CANDIDATE, CHAMPION, DATA_TAG, Registry, data_digest

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PROMOTION_TAG, FORCED_TAG = "twotower.promotion", "twotower.forced"


@dataclass(frozen=True)
class Decision:
    """Whether a candidate was promoted, and why.

    Attributes:
        version: of the candidate.
        promoted: whether it is the champion now.
        reason: why or why not, in one line.
        comparison: with the previous champion; None if there was none or it was not possible.
        forced: whether it was promoted despite the reason.
    """

    version: int
    promoted: bool
    reason: str
    comparison: ChampionComparison | None = None
    forced: bool = False


def promote(
    config: Config,
    registry: Registry,
    number: int | None = None,
    prepared: Path = PREPARED,
    *,
    force: bool = False,
) -> Decision:
    """Make the candidate the champion if it is better.

    Args:
        config: `evaluate`, `hpo.objective`, `mlflow.alpha` and the seed count.
        registry: of the models.
        number: version to promote; None: that with the alias `candidate`.
        prepared: data that the candidate was trained and tested on.
        force: promote it whatever the comparison says; recorded at the version.

    Raises:
        RegistryError: if there is no candidate, `prepared` is not its data, or another version
            has become champion in the meantime.
        ComparisonError: if a test row is in the training data of one of the models, or no user can
            be evaluated.
        TrackingError: if the store does not respond, or has lost one of the models.
    """
    candidate = _candidate(registry, number)
    champion = registry.by_alias(CHAMPION)
    version = int(candidate.version)
    if champion is None:
        _check_downloadable(registry, candidate)
        _check_champion_unchanged(registry, None)
        return _promote(registry, candidate, None, "it is the first champion")
    if champion.version == candidate.version:
        return Decision(version, promoted=True, reason="it is already the champion")
    try:
        comparison = _compare(config, registry, candidate, champion, prepared)
    except (RegistryError, TrackingError) as error:
        if force:
            _check_downloadable(registry, candidate)
            return _promote(registry, candidate, champion, str(error), forced=True)
        if isinstance(error, RegistryError):
            _record(registry, candidate, {"promoted": False, "reason": str(error)})
        msg = f"version {version} is not promoted: {error}; --force promotes it anyway"
        raise type(error)(msg) from None
    _check_champion_unchanged(registry, champion)
    if comparison.beats:
        reason = f"it beats version {champion.version}: {comparison.figures}"
        return _promote(registry, candidate, champion, reason, comparison)
    reason = (
        f"it does not beat version {champion.version} at alpha {comparison.alpha:g}: "
        f"{comparison.figures}"
    )
    if force:
        return _promote(registry, candidate, champion, reason, comparison, forced=True)
    values = {"promoted": False, "reason": reason, "champion": int(champion.version)}
    _record(registry, candidate, values | {"comparison": asdict(comparison)})
    return Decision(version, promoted=False, reason=reason, comparison=comparison)


def _candidate(registry: Registry, number: int | None) -> "ModelVersion":
    if number is not None:
        return registry.by_number(number)
    candidate = registry.by_alias(CANDIDATE)
    if candidate is None:
        msg = f"{registry.name} has no candidate; run twotower registry register first"
        raise RegistryError(msg)
    return candidate


def _compare(
    config: Config,
    registry: Registry,
    candidate: "ModelVersion",
    champion: "ModelVersion",
    prepared: Path,
) -> ChampionComparison:
    if candidate.tags.get(DATA_TAG) != data_digest(prepared):
        msg = (
            f"{prepared} is not the data that version {candidate.version} was trained on; "
            "run dvc checkout"
        )
        raise RegistryError(msg)
    splits = read_parts(prepared)
    with ExitStack() as stack:
        models = []
        for version in (champion, candidate):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twotower-")))
            with step(f"downloading version {version.version}"):
                artifacts, trained_on = registry.download(version, folder)
            _check_test_rows_unseen(version, splits, trained_on)
            models.append(artifacts)
        with step("scoring both"):
            return compare(config, models[1], models[0], splits, prepared)


def _check_downloadable(registry: Registry, candidate: "ModelVersion") -> None:
    """A model that the store has lost cannot be served: it is not promoted even by force."""
    with tempfile.TemporaryDirectory(prefix="twotower-") as folder:
        registry.download(candidate, Path(folder))


def _check_champion_unchanged(registry: Registry, champion: "ModelVersion | None") -> None:
    """A comparison takes a while, and does not hold for a champion promoted in the meantime."""
    current = registry.by_alias(CHAMPION)
    if (current and current.version) != (champion and champion.version):
        msg = f"another version of {registry.name} became champion in the meantime; try again"
        raise RegistryError(msg)


def _check_test_rows_unseen(
    version: "ModelVersion", splits: Mapping[str, pd.DataFrame], trained_on: Any
) -> None:
    allowed = np.sort(row_hashes(pd.concat([splits[name] for name in splits if name != "test"])))
    count = count_trained_on(splits["test"], trained_on, allowed)
    if count:
        msg = (
            f"{count:,} of {len(splits['test']):,} test rows are in the training data of "
            f"version {version.version}"
        )
        raise ComparisonError(msg)


def _promote(
    registry: Registry,
    candidate: "ModelVersion",
    champion: "ModelVersion | None",
    reason: str,
    comparison: ChampionComparison | None = None,
    *,
    forced: bool = False,
) -> Decision:
    values: dict[str, Any] = {"promoted": True, "reason": reason, "forced": forced}
    if champion is not None:
        values["champion"] = int(champion.version)
    if comparison is not None:
        values["comparison"] = asdict(comparison)
    _record(registry, candidate, values)
    if forced:
        registry.tag(candidate, {FORCED_TAG: reason})
    registry.set_alias(CHAMPION, candidate)
    version = int(candidate.version)
    return Decision(version, promoted=True, reason=reason, comparison=comparison, forced=forced)


def _record(registry: Registry, version: "ModelVersion", values: Mapping[str, Any]) -> None:
    """Called before the alias moves, so that it never moves without a recorded reason."""
    registry.tag(version, {PROMOTION_TAG: json_text(values, indent=None)})
