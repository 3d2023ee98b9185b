"""What refit prints of the test split."""

from collections.abc import Iterator, Mapping
from typing import Any

from twotower.assessment.assess import Assessment
from twotower.assessment.scoreboard import RANDOM
from twotower.assessment.verdict import MODEL


def summary(assessment: Assessment) -> Iterator[str]:
    """Lines for a terminal: scores, spread over seeds, the gap to validation, and the verdict."""
    if not assessment.metrics["scored"]:
        yield f"model written to .artifacts_best/; it is unscored: {assessment.verdict['reason']}"
        return
    objective = assessment.verdict["objective"]
    users = assessment.verdict["num_users"]
    yield f"test {objective} over {users:,} users, with 95 % intervals:"
    yield from _scores(assessment, objective)
    yield from _gap(assessment.verdict["gap"], assessment.intervals["seeds_diverged"])
    if advice := assessment.slices["advice"]:
        yield f"note: {advice}"
    yield f"verdict: {assessment.verdict['sentence']}"


def _scores(assessment: Assessment, objective: str) -> Iterator[str]:
    """A line for each scorer, the best first; what was left out comes last."""
    sections = {
        name: section
        for name, section in assessment.metrics.items()
        if _is_scorer(section, objective)
    }
    order = sorted(sections, key=lambda name: (-sections[name].get(objective, -1.0), name))
    width = max(map(len, order))
    for name in (MODEL, *(name for name in order if name not in (MODEL, RANDOM)), RANDOM):
        section = sections[name]
        if "failure" in section:
            yield f"  {name:<{width}}  left out: {section['failure']}"
            continue
        parts = [f"  {name:<{width}}  {section[objective]:.4f}"]
        if ends := assessment.intervals["intervals"].get(name):
            parts.append("[{:.4f}, {:.4f}]".format(*ends[objective]))
        if comparison := assessment.verdict["comparisons"].get(name):
            parts.append(_beaten(comparison, assessment.verdict["alpha"]))
        elif same := assessment.verdict["left_out"].get(name):
            parts.append(same)
        if setting := section.get("setting"):
            parts.append(", ".join(f"{key} {value:g}" for key, value in setting.items()))
        yield "  ".join(parts)


def _is_scorer(section: Any, objective: str) -> bool:
    return isinstance(section, dict) and (objective in section or "failure" in section)


def _beaten(comparison: Mapping[str, Any], alpha: float) -> str:
    """The shipped model's p-value; if it is not beaten, that over seeds and what else there is."""
    if comparison["beaten"]:
        return f"beaten (p {comparison['p_value']:.2g})"
    why = [f"p {comparison['p_value']:.2g}"]
    if over_seeds := comparison["over_seeds"]:
        why.append(f"{over_seeds['p_value']:.2g} over seeds")
    if all(one["p_value"] <= alpha for one in (comparison, over_seeds) if one):
        why.append("but the bootstrap's lower bound is not above 0")
    return f"not beaten ({', '.join(why)})"


def _gap(gap: Mapping[str, Any], num_diverged: int) -> Iterator[str]:
    """From the score that chose the trial to the score that chose nothing."""
    validation, test = gap["validation"], gap["test"]
    steps = [f"validation {validation['value']:.4f}"] if validation else []
    if confirmed := gap["confirmed"]:
        mean = "failed" if confirmed["mean"] is None else f"{confirmed['mean']:.4f}"
        steps.append(f"confirmed with fresh seeds {mean}")
    steps.append(f"test {test['value']:.4f}")
    yield " -> ".join(steps) + _seeds(gap["seeds"], num_diverged)
    if validation:
        changes = [f"{test['training_rows']:,} training rows, not {validation['training_rows']:,}"]
        if gap["later_by_days"] is not None:
            changes.append(f"{gap['later_by_days']:.1f} days later")
        if validation["random"] is not None:
            changes.append(f"random {test['random']:.4f}, not {validation['random']:.4f}")
        yield f"  between validation and test: {'; '.join(changes)}"


def _seeds(seeds: Mapping[str, Any], num_diverged: int) -> str:
    said = ""
    if seeds["std"] is not None:
        count, mean, std = len(seeds["values"]), seeds["mean"], seeds["std"]
        said = f"; {count} training seeds: mean {mean:.4f}, standard deviation {std:.4f}"
    if num_diverged:
        said += f"; with {num_diverged} further training seed{'s' * (num_diverged > 1)} it diverged"
    return said
