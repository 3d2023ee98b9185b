"""The identity of a study, and the provenance of its trials."""

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import twotower
from twotower.common.files import json_text, sha256_text
from twotower.common.portable import platform_here
from twotower.config import Config
from twotower.config.section import Section
from twotower.search.trial import Params, distributions
from twotower.training.device import Device, describe_gpu, resolve_device

OBJECTIVE_VERSION = 6
"""Raise it when the same hyperparameters, data and seed give other metrics than before, or when the
default of a parameter changes: an identity has only values that differ from the defaults."""
SEARCH_VERSION = 2
"""Raise it when the same earlier trials lead to another proposal than before."""

LIBRARIES = ("numpy", "optuna", "scikit-learn", "scipy", "torch")
SAMPLER_LIBRARIES = {"cmaes": ("cmaes",), "gp": ("greenlet",)}
"""More libraries of some samplers; without greenlet, Optuna computes in another order."""
OBJECTIVE_CODE = (
    *("common/arrays.py", "common/files.py", "common/seeds.py", "common/choices.py"),
    *("common/bounded.py", "common/sorted_keys.py"),
    *("common/folders.py", "common/paths.py", "common/portable.py", "common/units.py"),
    *("config/ranges.py", "config/search_space.py", "config/training.py"),
    "config/training_choices.py",
    *("config/effects.py", "config/hyperparameters.py", "config/space_checks.py"),
    *("data/categories.py", "data/checksums.py", "data/dense.py"),
    *("data/feature.py", "data/features.py"),
    *("data/id_text.py", "data/interactions.py", "data/prepared.py", "data/sentences.py"),
    *("data/text.py", "data/text_encoders.py", "data/time_order.py", "data/vocabulary.py"),
    *("evaluation", "training"),
    *("search/run_trial.py", "search/objective.py", "search/proposals", "search/trial.py"),
    *("search/data_facts.py", "search/front.py", "search/shares.py", "search/trial_data.py"),
)
"""The part of the package that a trial runs."""


@dataclass(frozen=True)
class Fingerprint:
    """Plain values and their digest."""

    values: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the canonical JSON of the values."""
        return sha256_text(json_text(self.values, indent=None))


def build_identity(
    config: Config,
    data: Mapping[str, str],
    warm_start: Sequence[Params] = (),
    share: float = 1.0,
) -> Fingerprint:
    """Identity of the study that `config` describes, on the data with these digests.

    The number of trials, the time budget and the storage are no part of it. The trials of a warm
    start are, and the share of the users that trials train on.
    """
    search_space = config.search_space
    space = {
        name: distribution.__class__.__name__ + json_text(distribution._asdict(), indent=None)
        for name, distribution in distributions(search_space.searched).items()
    }
    several = config.hpo.objectives
    train = _changed(config.train) | {"device": resolve_device(config.train.device)}
    return Fingerprint(
        {
            "conditions": search_space.conditions,
            "data": dict(data),
            "evaluate": _changed(config.evaluate, but={"cluster"}),  # compares no trials
            "fixed": search_space.fixed,
            "include_defaults": config.hpo.include_defaults,
            "lookahead": config.hpo.lookahead,
            "model": _changed(config.model),
            "objective": config.hpo.objective,
            "objective_version": OBJECTIVE_VERSION,
            "pruner": {"type": config.hpo.pruner.type, **_changed(config.hpo.pruner)},
            "sampler": {"type": config.hpo.sampler.type, **_changed(config.hpo.sampler)},
            "search_version": SEARCH_VERSION,
            "seed": config.seed,
            "space": space,
            "train": train,
            **({"objectives": [list(pair) for pair in several.items()]} if several else {}),
            **({"warm_start": list(warm_start)} if warm_start else {}),
            **({"settled": search_space.settled} if search_space.settled else {}),
            **({"sets": search_space.sets} if search_space.sets else {}),
            **({"cold_items": config.split.cold_items} if config.split.cold_items else {}),
            **({"share": share} if share < 1 else {}),
        }
    )


def _changed(section: Section, but: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Keys whose values differ from the defaults of the code, but for some that no trial reads.

    Adding a parameter that does nothing by default therefore keeps all studies valid.
    """
    return section.model_dump(mode="json", exclude_defaults=True, exclude=set(but))


def provenance(sampler: str = "tpe", device: Device = "cpu") -> Fingerprint:
    """Code, libraries, CPU capability and GPU of the trials that run here; pinned CPUs are all one.

    Args:
        sampler: some need further libraries.
        device: `train.device`; the GPU counts where it may be used.
    """
    return Fingerprint(
        {
            "code": _loaded_code(),
            "platform": platform_here(),
            **describe_gpu(device),
            **{name: _version(name) for name in (*LIBRARIES, *SAMPLER_LIBRARIES.get(sampler, ()))},
        }
    )


@cache
def _loaded_code() -> str:
    """Digest of the code in the memory of this process; the files may change later."""
    return code_digest(Path(twotower.__file__).parent)


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def code_digest(package: Path, parts: Iterable[str] = OBJECTIVE_CODE) -> str:
    """SHA-256 of the syntax trees of these modules.

    Comments, docstrings and layout do not count.
    """
    trees = {
        name: _tree(ast.parse((package / name).read_text(encoding="utf-8")))
        for name in python_files(package, parts)
    }
    return sha256_text(json.dumps(trees, sort_keys=True, ensure_ascii=False))  # all are texts


def python_files(package: Path, parts: Iterable[str] = OBJECTIVE_CODE) -> list[str]:
    """Paths inside the package of these modules, and of all in these folders; sorted."""
    files = [
        path
        for part in parts
        for path in (
            (package / part).rglob("*.py") if (package / part).is_dir() else [package / part]
        )
    ]
    return sorted(path.relative_to(package).as_posix() for path in files)


def _tree(node: Any) -> Any:
    """A syntax tree as plain values, the same in all supported versions of Python."""
    if isinstance(node, list):
        return [_tree(item) for item in node if not _is_docstring(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    # Newer versions add empty fields.
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    return [type(node).__name__, {name: _tree(value) for name, value in fields.items()}]


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
