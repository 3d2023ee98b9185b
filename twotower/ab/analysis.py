"""From a log of exposures and a file of events to the result of an experiment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from twotower.ab.events import UserEvents
from twotower.ab.exposures import Exposures
from twotower.ab.inference import (
    ALPHA,
    POWER,
    UNEVEN,
    Arm,
    Lift,
    Looks,
    lift,
    uneven,
    users_needed,
)
from twotower.ab.outcomes import OUTCOMES, user_outcomes
from twotower.common.errors import ConfigError, DataError
from twotower.common.units import DAY

LIFTS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Relative, for which the result says how many users it takes to see them."""
MANY = 0.01
"""Share of the users in both arms from which something is wrong with the assignment."""


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often it may be looked at.

    Attributes:
        share: of the users that were to get the treatment, in (0, 1).
        window: days from a user's first exposure in which events count.
        outcome: a row of OUTCOMES.
        types: of event that count; empty: all.
        recommended_only: whether only events on items that were recommended count.
        horizon: seconds since 1970, UTC, of the one look; None: any number of looks.
        until: up to when all events are known, likewise; None: up to the last one.
        planned_users: see `Looks`; does nothing with a horizon.
    """

    share: float
    window: float
    outcome: str
    types: tuple[str, ...] = ()
    recommended_only: bool = False
    horizon: float | None = None
    until: float | None = None
    planned_users: int = 10_000

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            ConfigError: naming the option.
        """
        rules = {
            "--share": (self.share, 0 < self.share < 1, "between 0 and 1"),
            "--window": (self.window, self.window > 0, "above 0"),
            "--planned-users": (self.planned_users, self.planned_users > 0, "above 0"),
        }
        for option, (value, is_right, rule) in rules.items():
            if not is_right:
                msg = f"{option}: must be {rule}, not {value:g}"
                raise ConfigError(msg)

    @property
    def looks(self) -> Looks:
        """How often one may look."""
        return Looks(self.planned_users if self.horizon is None else None)


@dataclass(frozen=True)
class Result:
    """Of an experiment.

    Attributes:
        plan: what was measured.
        exposures: users, and what was left out of the log.
        events: of these users.
        end: seconds since 1970, UTC: windows that ended later do not count.
        control: the arm.
        treatment: likewise.
        left_out: users that do not count, by reason.
        uneven_p: p-value of the sizes of the arms.
        lift: None if the arms tell too little, or their sizes say that something is wrong.
        needed: users that it takes to see a relative lift; None where it cannot be said.
    """

    plan: Plan
    exposures: Exposures
    events: UserEvents
    end: float
    control: Arm
    treatment: Arm
    left_out: Mapping[str, int]
    uneven_p: float
    lift: Lift | None
    needed: Mapping[float, int | None]

    @property
    def is_uneven(self) -> bool:
        """Whether the sizes of the arms are not those of the share: no result can be trusted."""
        return self.uneven_p < UNEVEN

    @property
    def warnings(self) -> list[str]:
        """What a reader has to know before the result."""
        found = []
        both = self.left_out["in both arms"]
        if both > MANY * len(self.exposures.users):
            found.append(
                f"{both:,} of {len(self.exposures.users):,} users were in both arms, and do not "
                "count: was the share changed, or are the arms not assigned by user?"
            )
        versions = [
            {v for arm, v in self.exposures.models if arm is side} for side in (True, False)
        ]
        if same := ", ".join(sorted(versions[0] & versions[1])):
            found.append(f"model {same} answered in both arms: that part compares it with itself")
        if self.events.whole_days:
            found.append(
                "events have dates without a time of day, so that those on the day of a user's "
                "first exposure come before it, and do not count"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON; rates and lifts are None where they are withheld."""
        arms = {False: "control", True: "treatment"}
        models: dict[str, dict[str, int]] = {name: {} for name in arms.values()}
        for (arm, version), lines in self.exposures.models.items():
            models[arms[arm]][version] = lines
        return {
            "alpha": ALPHA,
            "arms": {"control": asdict(self.control), "treatment": asdict(self.treatment)},
            "end": iso(self.end),
            "event_rows_dropped": dict(self.events.dropped),
            "lift": None if self.lift is None else asdict(self.lift),
            "log": {
                "lines": self.exposures.num_lines,
                "duplicates": self.exposures.duplicates,
                "left_out": dict(self.exposures.left_out),
                "models": models,
            },
            "looks": "one" if self.plan.horizon is not None else "any number",
            "plan": {
                **asdict(self.plan),
                "horizon": None if self.plan.horizon is None else iso(self.plan.horizon),
                "until": None if self.plan.until is None else iso(self.plan.until),
            },
            "power": POWER,
            "sample_ratio": {"p_value": self.uneven_p, "is_uneven": self.is_uneven},
            "users_left_out": dict(self.left_out),
            "users_needed": {f"{share:g}": users for share, users in self.needed.items()},
            "warnings": self.warnings,
        }


def analyse(exposures: Exposures, events: UserEvents, plan: Plan) -> Result:
    """Compare the arms of an experiment.

    Raises:
        DataError: if the horizon has not been reached, no user's window has passed, or the outcome
            needs what the events do not have.
    """
    until = events.last if plan.until is None else plan.until
    if plan.horizon is not None and plan.horizon > until:
        msg = (
            f"the horizon, {iso(plan.horizon)}, has not been reached: the events end at "
            f"{iso(until)}. Wait for it (--until says up to when they are complete), or leave out "
            "--horizon for a result that may be looked at any number of times"
        )
        raise DataError(msg)
    end = until if plan.horizon is None else plan.horizon
    users = user_outcomes(exposures, events, OUTCOMES[plan.outcome], plan.window * DAY, end)
    control, treatment = Arm.of(users.control), Arm.of(users.treatment)
    uneven_p = uneven(treatment.users, control.users + treatment.users, plan.share)
    return Result(
        plan=plan,
        exposures=exposures,
        events=events,
        end=end,
        control=control,
        treatment=treatment,
        left_out=users.left_out,
        uneven_p=uneven_p,
        lift=None if uneven_p < UNEVEN else lift(control, treatment, plan.looks),
        needed={one: users_needed(control, one, plan.share, plan.looks) for one in LIFTS},
    )


def iso(seconds: float) -> str:
    """The time as text, to the second, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
