"""What refit prints about the test split."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twotower.assessment.bars import in_order
from twotower.assessment.clusters import in_clusters
from twotower.assessment.comparison import why_not_beaten
from twotower.assessment.item_groups import summary_of_groups
from twotower.assessment.looks import looks_text

if TYPE_CHECKING:
    from twotower.assessment.assess import Assessment

TOO_WIDE = 0.25
"""Width of an interval, of a metric between 0 and 1, that is that of some fifty users."""


def summary(assessment: "Assessment", looks: int = 1) -> Iterator[str]:
    """Lines for a terminal: scores, spread over seeds, gap, verdict, and what to do next.

    Args:
        assessment: what is shown.
        looks: how often its test rows have been looked at.
    """
    if not assessment.metrics["scored"]:
        reason = assessment.verdict["reason"]
        yield f"model written to .artifacts_best/, without test scores: {reason}"
        return
    objective = assessment.verdict["objective"]
    are_new = "num_folded_in_rows" in assessment.metrics["evaluated"]
    users = f"{assessment.verdict['num_users']:,} {'new users' if are_new else 'users'}"
    users += in_clusters(assessment.verdict.get("num_clusters"))
    yield f"test {objective} on {users}, with 95 % confidence intervals:"
    yield from _scores(assessment, objective)
    yield from summary_of_groups(assessment.item_groups)
    yield from _gap(assessment.verdict["gap"], assessment.intervals["seeds_diverged"])
    if advice := assessment.slices["advice"]:
        yield f"note: {advice}"
    yield f"verdict: {assessment.verdict['sentence']}"
    if several := looks_text(looks, assessment.verdict):
        yield f"note: {several}"
    for advice in assessment.verdict["advice"]:
        yield f"next: {advice}"


def _scores(assessment: "Assessment", objective: str) -> Iterator[str]:
    """A line per scorer: the model, baselines from the best to those that were skipped, random."""
    order = in_order(assessment.metrics, objective)
    width = max(map(len, order))
    for name in order:
        section = assessment.metrics[name]
        if "failure" in section:
            yield f"  {name:<{width}}  skipped: {section['failure']}"
            continue
        parts = [f"  {name:<{width}}  {section[objective]:.4f}"]
        if interval := assessment.intervals["intervals"].get(name):
            low, high = interval[objective]
            parts.append(f"[{low:.4f}, {high:.4f}]{too_few(low, high)}")
        if comparison := assessment.verdict["comparisons"].get(name):
            parts.append(comparison_text(comparison))
        elif reason := assessment.verdict["left_out"].get(name):
            parts.append(reason)
        if setting := setting_text(section):
            parts.append(setting)
        yield "  ".join(parts)


def setting_text(section: Mapping[str, Any]) -> str:
    """The setting of a scorer, and on how many users it was chosen if not on all; else empty."""
    parts = [f"{key} {value:g}" for key, value in section.get("setting", {}).items()]
    users = section.get("chosen_on_users")
    return ", ".join([*parts, f"chosen on {users:,} users"] if users else parts)


def too_few(low: float, high: float) -> str:
    """What follows an interval that is too wide to be of use, or nothing."""
    return " too few users" if high - low > TOO_WIDE else ""


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """The p-value of the final model; if it does not beat this scorer, all that explains why."""
    if comparison["beaten"]:
        return f"beaten (p {comparison['p_value']:.2g})"
    if comparison["worse"]:
        return f"better (p {comparison['p_value_worse']:.2g})"
    return f"not beaten ({', '.join(why_not_beaten(comparison))})"


def _gap(gap: Mapping[str, Any], num_diverged: int) -> Iterator[str]:
    """From the score that chose the trial to the test score, and what changed in between."""
    validation, test = gap["validation"], gap["test"]
    steps = [f"validation {validation['value']:.4f}"] if validation else []
    if confirmed := gap["confirmed"]:
        mean = "failed" if confirmed["mean"] is None else f"{confirmed['mean']:.4f}"
        steps.append(f"mean over fresh seeds {mean}")
    steps.append(f"test {test['value']:.4f}")
    yield " -> ".join(steps) + _seeds(gap["seeds"], num_diverged)
    if validation:
        rows = f"{validation['training_rows']:,} -> {test['training_rows']:,}"
        changes = [f"training rows {rows}"]
        if gap["later_by_days"] is not None:
            changes.append(f"events {gap['later_by_days']:.1f} days later on average")
        if validation["random"] is not None:
            changes.append(f"random ranking {validation['random']:.4f} -> {test['random']:.4f}")
        yield f"  from validation to test: {'; '.join(changes)}"


def _seeds(seeds: Mapping[str, Any], num_diverged: int) -> str:
    text = ""
    if seeds["std"] is not None:
        count, mean, std = len(seeds["values"]), seeds["mean"], seeds["std"]
        text = f" (mean over {count} training seeds {mean:.4f}, standard deviation {std:.4f})"
    if num_diverged:
        plural = "s" if num_diverged > 1 else ""
        text += f"; training diverged with {num_diverged} further seed{plural}"
    return text
