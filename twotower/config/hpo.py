"""Section `hpo`: what is searched, and how it is explored."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from twotower.common.bounded import shown
from twotower.common.choices import choice_rule
from twotower.config.numbers import as_number
from twotower.config.ranges import (
    CategoricalSpace,
    Choice,
    FloatSpace,
    IntSpace,
    ParameterSpace,
    plain,
)
from twotower.config.section import Section
from twotower.evaluation.item_groups import mix_text, weights_of
from twotower.evaluation.metrics import Direction, direction_of


class TpeConfig(Section):
    """Tree-structured Parzen estimator: fast, and at home in every kind of space."""

    type: Literal["tpe"] = "tpe"
    """Which one this is."""
    n_startup_trials: PositiveInt = 10
    """Finished trials before which it draws at random."""


class RandomConfig(Section):
    """Independent random draws."""

    type: Literal["random"] = "random"
    """Which one this is."""


class GpConfig(Section):
    """Gaussian process: strong on few trials; conditional parameters are drawn at random."""

    type: Literal["gp"] = "gp"
    """Which one this is."""
    n_startup_trials: PositiveInt = 10
    """Complete trials before which it draws at random."""


class CmaEsConfig(Section):
    """CMA-ES, for numbers; categorical and conditional parameters are drawn at random."""

    type: Literal["cmaes"] = "cmaes"
    """Which one this is."""


class Nsga2Config(Section):
    """NSGA-II, an evolutionary search for a Pareto front; for several objectives."""

    type: Literal["nsga2"] = "nsga2"
    """Which one this is."""
    population_size: Annotated[int, Field(ge=2)] = 8
    """Parents, the best complete trials; while there are fewer, it draws at random."""


class NoPrunerConfig(Section):
    """Every trial runs to its end."""

    type: Literal["none"] = "none"
    """Which one this is."""


class MedianConfig(Section):
    """Stops a trial whose best value is below the median of earlier ones at the same epoch."""

    type: Literal["median"] = "median"
    """Which one this is."""
    n_startup_trials: NonNegativeInt = 5
    """Complete trials before which none is stopped."""
    n_warmup_steps: NonNegativeInt = 0
    """Epochs of a trial in which it is not stopped."""


class HalvingConfig(Section):
    """At epochs min_resource · reduction_factor^i only the best 1 / reduction_factor go on."""

    type: Literal["successive_halving"] = "successive_halving"
    """Which one this is."""
    min_resource: PositiveInt = 1
    """Epochs of the first rung."""
    reduction_factor: Annotated[int, Field(ge=2)] = 4
    """Of how many trials one goes on, and by how many times as many epochs."""


class HyperbandConfig(Section):
    """Successive halving with several first rungs, up to the most epochs of the space."""

    type: Literal["hyperband"] = "hyperband"
    """Which one this is."""
    min_resource: PositiveInt = 1
    """Epochs of the lowest first rung."""
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    """Of how many trials one goes on, and by how many times as many epochs."""


_ELSEWHERE = "keeps its place outside the trials, so a resumed or parallel search would differ"
REFUSED = {
    "qmc": _ELSEWHERE,
    "grid": _ELSEWHERE,
    "brute_force": _ELSEWHERE,
    "nsgaii": "is called nsga2 here",
    "nsgaiii": "is not offered: with two or three objectives nsga2 does its work",
    "partial_fixed": "is not needed: hpo.fixed pins values",
    "patient": "is not needed: to stop at a plateau, search over epochs",
    "percentile": "is not offered: median and successive_halving do its work",
    "threshold": "is not offered: a fixed bound does not carry over to other data or metrics",
    "wilcoxon": "pairs independent measurements, and epochs of one training are not independent",
}
"""Samplers and pruners of Optuna that are known here and not offered, and why."""


def _named(*names: str) -> BeforeValidator:
    """Lets a name alone stand for {type: name}, and says why other names are refused."""

    def check(value: Any) -> Any:
        if value is None or isinstance(value, str):
            value = {"type": value or "none"}
        name = value.get("type") if isinstance(value, dict) else value
        if name in names:
            return value
        if isinstance(name, str) and name in REFUSED:
            msg = f"{name} {REFUSED[name]}; must be one of {', '.join(names)}"
            raise ValueError(msg)
        raise ValueError(choice_rule(name, names))

    return BeforeValidator(check)


SamplerConfig = Annotated[
    Annotated[
        TpeConfig | RandomConfig | GpConfig | CmaEsConfig | Nsga2Config,
        Field(discriminator="type"),
    ],
    _named("tpe", "random", "gp", "cmaes", "nsga2"),
]
PrunerConfig = Annotated[
    Annotated[
        NoPrunerConfig | MedianConfig | HyperbandConfig | HalvingConfig,
        Field(discriminator="type"),
    ],
    _named("none", "median", "hyperband", "successive_halving"),
]


def _pinned(value: Any) -> Any:
    return list(map(plain, value)) if isinstance(value, list | tuple) else plain(value)


def _one_key(value: Any) -> Any:
    weights = weights_of(value) if isinstance(value, str) else value
    return mix_text(weights) if isinstance(weights, dict) else value


def _directions(value: Any) -> Any:
    """The list as a mapping of each metric to its direction; DVC sees the order of lists alone."""
    entries = [_entry(each) for each in value] if isinstance(value, list | tuple) else [None]
    pairs = [entry for entry in entries if entry is not None]
    if len(pairs) < len(entries):
        msg = "must be a list of metrics, such as [recall_at_10, {gini_at_10: minimize}]"
        raise ValueError(f"{msg}, got {shown(value)}")
    if mix := next((key for key, _ in pairs if [*weights_of(key)] != [key]), None):
        msg = f"takes metrics one by one, and hpo.choose.weights weighs them; {mix!r} is a mix"
        raise ValueError(msg)
    if len(dict(pairs)) < len(pairs):
        msg = f"names a metric twice: {shown(list(value))}"
        raise ValueError(msg)
    return dict(pairs)


def _entry(value: Any) -> tuple[str, Any] | None:
    """Metric and direction of recall_at_10 or {recall_at_10: maximize}; None of anything else."""
    if isinstance(value, str):
        return value, direction_of(value)
    pairs = list(value.items()) if isinstance(value, dict) else []
    return pairs[0] if len(pairs) == 1 and isinstance(pairs[0][0], str) else None


def _as_list(directions: dict[str, Direction] | None) -> list[dict[str, Direction]] | None:
    return None if directions is None else [{key: way} for key, way in directions.items()]


Objectives = Annotated[
    dict[str, Direction],
    Field(min_length=2),
    BeforeValidator(_directions, json_schema_input_type=list[str | dict[str, Direction]]),
    PlainSerializer(_as_list),
]
FixedValue = Annotated[Choice | tuple[Choice, ...], BeforeValidator(_pinned)]


class DaskConfig(Section):
    """Section `hpo.dask`: workers that may be on other machines."""

    address: str | None = None
    """Of a scheduler, e.g. tcp://host:8786; null: a cluster of `workers` processes here."""
    wait: PositiveFloat = 300.0
    """Seconds without a scheduler, or without a worker that fits, after which the search ends."""


class ChooseConfig(Section):
    """Section `hpo.choose`: which trial of the Pareto front of `hpo.objectives` is refitted."""

    keep: Annotated[float, Field(gt=0, le=1)] | None = 0.95
    """Share of the highest value of the first objective on the front that it must have at least;
    null: no such bound."""
    limits: dict[str, float] = Field(default_factory=dict)
    """Values of objectives, {coverage_at_10: 0.3}, that it must have at least, or at most of one
    that is minimised."""
    weights: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Of the objectives, each scaled from 0, its worst on the front, to 1, its best; the highest
    sum wins. Those not named count nothing; empty: all count 1."""


class ConfirmConfig(Section):
    """Section `hpo.confirm`: the best few trials, trained again with fresh seeds."""

    top: PositiveInt = 5
    """Trials, by their value in the search."""
    seeds: Annotated[int, Field(ge=2)] = 3
    """Fresh seeds for each; the highest mean over them is chosen."""


def default_search_space() -> dict[str, ParameterSpace]:
    """What is searched where params.yaml names nothing: trained towers, and ridge regressions."""
    trained: dict[str, Any] = {"only_if": {"init": "random"}}
    closed: dict[str, Any] = {"only_if": {"init": "ridge"}}

    def one_of(*choices: Choice, **more: Any) -> CategoricalSpace:
        return CategoricalSpace(type="categorical", choices=choices, **more)

    return {
        "init": one_of("random", "ridge"),
        "dim": IntSpace(type="int", low=8, high=64, step=8, **trained),
        "lr": FloatSpace(type="float", low=1e-4, high=1e-1, log=True, **trained),
        "epochs": IntSpace(type="int", low=3, high=15, **trained),
        "batch_size": one_of(128, 256, 512, **trained),
        "user_tower": one_of("id", "history", **trained),
        "closed_form_dim": IntSpace(type="int", low=64, high=1024, log=True, sets="dim", **closed),
        "ridge_penalty": FloatSpace(type="float", low=0.3, high=30, log=True, **closed),
        "history_decay": FloatSpace(type="float", low=0, high=0.5, step=0.1, **closed),
        "closed_form_epochs": one_of(0, sets="epochs", **closed),
        "closed_form_similarity": one_of("dot", sets="similarity", **closed),
        "closed_form_user_tower": one_of("history", sets="user_tower", **closed),
        "user_exponent": one_of(0.25, **closed),
        "item_exponent": one_of(0.25, **closed),
        "weight_exponent": one_of(0.0, **closed),
    }


def _share(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One message for what is neither of a union's members."""
    try:
        return read(as_number(value))
    except ValidationError:
        msg = f"must be auto, null or a number above 0, at most 1, got {shown(value)}"
        raise ValueError(msg) from None


Sample = Annotated[
    Literal["auto"] | Annotated[float, Field(gt=0, le=1)] | None, WrapValidator(_share)
]


class HpoConfig(Section):
    """Section `hpo`: what is searched, and how."""

    n_trials: PositiveInt = 20
    """Total number of trials, those of earlier runs included."""
    timeout: PositiveFloat | None = None
    """Seconds after which no further trial is started; null: no limit."""
    timeout_grace: NonNegativeFloat | None = None
    """Seconds that running trials then get to finish; null: as long as they take."""
    workers: Literal["auto"] | NonNegativeInt = "auto"
    """Local processes that run trials at the same time, at most `lookahead`; auto: as many as have
    cores and memory, one for a short search; 0: this process."""
    executor: Literal["local", "dask"] = "local"
    """Who runs the trials: processes of this machine, or the workers of a dask scheduler."""
    dask: DaskConfig = DaskConfig()
    """Of `executor: dask`."""
    tries: PositiveInt = 3
    """How often a trial is begun whose worker dies before it counts as failed."""
    objective: Annotated[str, BeforeValidator(_one_key, json_schema_input_type=str)] = (
        "recall_at_10"
    )
    """Validation metric to maximise, e.g. ndcg_at_10: docs/metrics.md explains each.

    With `_warm` or `_cold` behind it, of these items alone (`split.cold_items`); or a mix, {metric:
    weight, …}, whose weighted sum is maximised.
    """
    objectives: Objectives | None = None
    """Several metrics in place of `objective`, [recall_at_10, coverage_at_10], for their Pareto
    front: the first is one that `objective` may be, no mix, and leads. Each has its own direction,
    or the one it is given, [recall_at_10, {coverage_at_10: minimize}]. See docs/search.md.
    """
    choose: ChooseConfig = ChooseConfig()
    """Of `objectives`: the trial of the front that is refitted."""
    sample: Sample = "auto"
    """Share of the users whose rows trials train on; the best few go on to larger shares and at
    last to all. auto: the share that leaves about 200,000 rows; null: all. See docs/search.md."""
    search_space: Annotated[dict[str, ParameterSpace], Field(min_length=1)] = Field(
        default_factory=default_search_space
    )
    """Entries in Optuna's abbreviated form, with `only_if` and `sets`; an entry has the name of a
    hyperparameter of `model` or `train`, or sets one."""
    fixed: dict[str, FixedValue] = Field(default_factory=dict)
    """Hyperparameters that every trial has, whatever the space and `model` and `train` say."""
    include_defaults: bool = True
    """Whether trial 0 is the values of `model` and `train`, with `fixed` in their place."""
    sampler: SamplerConfig = TpeConfig()
    """A name, or {type: name, …} with what it can be told."""
    pruner: PrunerConfig = NoPrunerConfig()
    """A name, or {type: name, …}; it decides by the same earlier trials as the sampler."""
    confirm: ConfirmConfig | None = None
    """Trains the best few trials again, to choose without their luck; null: the best value wins."""
    lookahead: PositiveInt = 4
    """Trial n is proposed when trials 0..n-lookahead are finished; part of a study's identity."""
    on_drift: Literal["new", "resume", "error"] = "new"
    """Where stored trials were made by other code, libraries or CPU capability: start a new study
    and keep the old one, continue it and mark the results as mixed, or stop with an error."""
    study_name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=100)] = (
        "two-tower"
    )
    """Name of the study in the database, and so in optuna-dashboard."""
    storage: str | None = None
    """Database URL of the live study; null: SQLite below .hpo/ in the repository."""

    @property
    def directions(self) -> dict[str, Direction]:
        """Every objective, the first one first, and its direction."""
        return self.objectives or {self.objective: "maximize"}

    @model_validator(mode="before")
    @classmethod
    def _first_objective(cls, raw: Any) -> Any:
        """What reads `objective` alone, as tests on held-out users do, reads the first one."""
        several = raw.get("objectives") if isinstance(raw, dict) else None
        first = _entry(several[0]) if isinstance(several, list | tuple) and several else None
        return {**raw, "objective": first[0]} if first else raw

    @model_validator(mode="after")
    def _check_objectives(self) -> "HpoConfig":
        chosen = {**self.choose.limits, **self.choose.weights}
        if self.objectives is None:
            if chosen:
                msg = "choose: limits and weights are of hpo.objectives, and there are none"
                raise ValueError(msg)
            if isinstance(self.sampler, Nsga2Config):
                msg = "sampler: nsga2 is for several objectives; set hpo.objectives, or sampler tpe"
                raise ValueError(msg)
            return self
        for key in chosen:
            if key not in self.objectives:
                msg = f"choose: {choice_rule(key, list(self.objectives))}"
                raise ValueError(msg)
        if self.objectives[self.objective] != "maximize":
            msg = f"objectives: the first one, {self.objective}, must be maximised"
            raise ValueError(msg)
        if not isinstance(self.pruner, NoPrunerConfig):
            msg = f"pruner: {self.pruner.type} judges by one objective; with objectives it is none"
            raise ValueError(msg)
        if isinstance(self.sampler, CmaEsConfig):
            msg = "sampler: cmaes is for one objective; with objectives it is tpe, nsga2 or gp"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _dask_has_workers(self) -> "HpoConfig":
        if self.executor == "dask" and self.dask.address is None and self.workers == 0:
            msg = "executor: dask needs workers: at least 1, or dask.address, got workers 0"
            raise ValueError(msg)
        return self
