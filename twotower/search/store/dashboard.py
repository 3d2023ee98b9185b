"""What optuna-dashboard shows of a study beside its trials."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METRIC_NAMES = "study:metric_names"
"""Where Optuna keeps what `set_metric_names`, which warns that it is new, sets."""
NOTE_VERSION, NOTE_PART = "dashboard:note_ver", "dashboard:note_str:"
PART_LENGTH = 2045
"""Characters of a note that the dashboard keeps in one attribute."""

VALUES = "Values are {objective} on the validation split; higher is better."
SEVERAL = "Values are {objectives}, on the validation split."
SAMPLE = (
    "Trials were trained on a sample of {share:.1%} of the users, and the best went on to more, "
    "where values are others."
)
WATCH = "Only watch: a trial that is added by hand stops the search."
LOOK = "This file is an output of DVC, so only look: `dvc checkout hpo_study.db` undoes a change."
REPORT = (
    "`twotower report` writes `report.html` in the project's folder: the verdict on the test "
    "split, the search and the data on one page."
)


@dataclass(frozen=True)
class StudyCard:
    """The name of the values, and a note.

    Attributes:
        objectives: their names.
        note: Markdown.
    """

    objectives: list[str]
    note: str

    @classmethod
    def live(cls, directions: Mapping[str, str]) -> "StudyCard":
        """That of a study whose search may go on."""
        return cls([*directions], "\n\n".join([_values(directions), REPORT, WATCH]))

    @classmethod
    def of_results(cls, results: Mapping[str, Any]) -> "StudyCard":
        """That of a study with results, the content of the results file."""
        winner = results["best_trial"]
        directions = {one["metric"]: one["direction"] for one in results.get("objectives", [])}
        directions = directions or {results["objective"]: "maximize"}
        parts = [_values(directions), REPORT, LOOK]
        if winner is not None:
            params = ", ".join(f"{name} {value}" for name, value in winner["params"].items())
            is_best = "The best is" if len(directions) == 1 else "Of the front, `hpo.choose` takes"
            value = ", ".join(f"{winner['metrics'][name]:.4f}" for name in directions)
            parts.insert(1, f"{is_best} **trial {winner['number']}**, {value}, with {params}.")
        if "sample" in results:
            parts.insert(1, SAMPLE.format(share=results["sample"]["share"]))
        return cls([*directions], "\n\n".join(parts))

    def attributes(self, stored: Container[str] = ()) -> Iterator[tuple[str, Any]]:
        """System attributes that a study lacks; the version of the note, last, says it is there.

        Args:
            stored: names of those that it has; a note that is there stays.
        """
        if METRIC_NAMES not in stored:
            yield METRIC_NAMES, self.objectives
        if NOTE_VERSION in stored:
            return
        for number, start in enumerate(range(0, len(self.note), PART_LENGTH)):
            yield f"{NOTE_PART}{number}", self.note[start : start + PART_LENGTH]
        yield NOTE_VERSION, 1


def _values(directions: Mapping[str, str]) -> str:
    if len(directions) == 1:
        return VALUES.format(objective=next(iter(directions)))
    better = {"maximize": "higher is better", "minimize": "lower is better"}
    named = [f"{name} ({better[way]})" for name, way in directions.items()]
    return SEVERAL.format(objectives=", ".join(named))
