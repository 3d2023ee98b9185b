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
        objective: that is maximised.
        note: Markdown.
    """

    objective: str
    note: str

    @classmethod
    def live(cls, objective: str) -> "StudyCard":
        """That of a study whose search may go on."""
        return cls(objective, "\n\n".join([VALUES.format(objective=objective), REPORT, WATCH]))

    @classmethod
    def of_results(cls, results: Mapping[str, Any]) -> "StudyCard":
        """That of a study with results, the content of the results file."""
        objective, winner = results["objective"], results["best_trial"]
        parts = [VALUES.format(objective=objective), REPORT, LOOK]
        if winner is not None:
            params = ", ".join(f"{name} {value}" for name, value in winner["params"].items())
            found = (
                f"The best is **trial {winner['number']}**, {winner['value']:.4f}, with {params}."
            )
            parts.insert(1, found)
        if "sample" in results:
            parts.insert(1, SAMPLE.format(share=results["sample"]["share"]))
        return cls(objective, "\n\n".join(parts))

    def attributes(self, stored: Container[str] = ()) -> Iterator[tuple[str, Any]]:
        """System attributes that a study lacks; the version of the note, last, says it is there.

        Args:
            stored: names of those that it has; a note that is there stays.
        """
        if METRIC_NAMES not in stored:
            yield METRIC_NAMES, [self.objective]
        if NOTE_VERSION in stored:
            return
        for number, start in enumerate(range(0, len(self.note), PART_LENGTH)):
            yield f"{NOTE_PART}{number}", self.note[start : start + PART_LENGTH]
        yield NOTE_VERSION, 1
