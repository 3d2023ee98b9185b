"""`twotower ab`: what came of an A/B test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.errors import ConfigError

if TYPE_CHECKING:
    from twotower.ab.exposures import ArmOf


@app.command(
    epilog=examples(
        "twotower ab exposures.jsonl orders.csv --event purchase",
        "twotower ab logs/ events.parquet --experiment ranker --outcome value --window 14",
        "twotower ab logs/ orders.csv --control 1a2b --treatment 3c4d --horizon 2026-12-24",
        "twotower ab logs/ orders.csv --experiment next --assigned --json plan.json",
    ),
)
def ab(
    *,
    log: Annotated[
        Path,
        typer.Argument(
            metavar="LOG", help="Exposures that the service logged: JSON lines, or a folder."
        ),
    ],
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            help="What users did: a file in any format that `prepare` reads, with columns of "
            "users, items and times.",
        ),
    ],
    experiment: Annotated[
        str | None, typer.Option(help="Its name; without one, the only one of the log.")
    ] = None,
    share: Annotated[float, typer.Option(help="Of the users that get the treatment.")] = 0.5,
    assigned: Annotated[
        bool,
        typer.Option(
            "--assigned",
            help="Compute the arms from --experiment and --share, as twotower.ab.assign does, "
            "where the log has none. On a log of one model it is an A/A test, to plan with.",
        ),
    ] = False,
    control: Annotated[
        str | None, typer.Option(help="Version of a model: arms by model, with --treatment.")
    ] = None,
    treatment: Annotated[
        str | None, typer.Option(help="Version of a model: arms by model, with --control.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Type of event that counts; may be repeated. Default: every type."),
    ] = None,
    outcome: Annotated[
        str, typer.Option(help="Of a user: users, events or value; see docs/ab.md.")
    ] = "users",
    window: Annotated[
        float, typer.Option(help="Days from a user's first exposure in which events count.")
    ] = 7.0,
    recommended: Annotated[
        bool,
        typer.Option("--recommended", help="Only events on items recommended to the user before."),
    ] = False,
    horizon: Annotated[
        str | None,
        typer.Option(
            help="Date or time (UTC), set before the experiment, of the only look. Without it, "
            "you may look as often as you like, and intervals are wider."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Date or time up to which EVENTS are complete; else their last one."),
    ] = None,
    planned_users: Annotated[
        int,
        typer.Option(help="Without --horizon: users for whom intervals are narrowest."),
    ] = 10_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write all figures to this file.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown instead of plain text.")
    ] = False,
) -> None:
    """Say what an A/B test found: the lift per user, with intervals.

    Exits with status 1, without a result, if the sizes of the arms are not those of --share.
    """
    with loading():
        from twotower.ab.analysis import Plan, analyse
        from twotower.ab.events import read_events
        from twotower.ab.exposures import read_exposures
        from twotower.ab.outcomes import OUTCOMES
        from twotower.ab.report import report_text
        from twotower.common.choices import choice_rule
        from twotower.common.files import write_json
        from twotower.config.params import data_section
        from twotower.data.id_text import IdText

    if outcome not in OUTCOMES:
        raise ConfigError(f"--outcome: {choice_rule(outcome, OUTCOMES)}")
    plan = Plan(
        share=share,
        window=window,
        outcome=outcome,
        types=tuple(event or ()),
        recommended_only=recommended,
        horizon=_moment("--horizon", horizon),
        until=_moment("--until", until),
        planned_users=planned_users,
    )
    arm_of = _arms(experiment, share, control, treatment, assigned=assigned)
    data = data_section()
    exposures = read_exposures(
        log, arm_of, IdText.of(data.unicode), drop=data.on_invalid == "drop", items=recommended
    )
    result = analyse(exposures, read_events(events, exposures, data, plan.types), plan)
    if json_file is not None:
        write_json(json_file, result.as_dict())
    typer.echo(report_text(result, markdown=markdown))
    if result.is_uneven:
        raise typer.Exit(1)


def _arms(
    experiment: str | None,
    share: float,
    control: str | None,
    treatment: str | None,
    *,
    assigned: bool,
) -> "ArmOf":
    """Says in which arm a line is."""
    from twotower.ab.arms import ArmsByModel, LoggedArms, arms_by_assignment

    if (control is None) != (treatment is None):
        msg = "--control and --treatment: give both, or none"
        raise ConfigError(msg)
    if control is not None and treatment is not None:
        if experiment is not None or assigned:
            msg = "--control and --treatment say the arms: leave out --experiment and --assigned"
            raise ConfigError(msg)
        return ArmsByModel(control, treatment)
    if not assigned:
        return LoggedArms(experiment)
    if experiment is None:
        msg = "--assigned computes the arms from the name of the experiment: give --experiment"
        raise ConfigError(msg)
    return arms_by_assignment(experiment, share)


def _moment(option: str, text: str | None) -> float | None:
    from twotower.ab.exposures import seconds_of

    try:
        return None if text is None else seconds_of(text)
    except ValueError:
        rule = "must be a date or time such as 2026-12-24 or 2026-12-24T18:00Z"
        msg = f"{option}: {rule}, not {text!r}"
        raise ConfigError(msg) from None
