"""What to do next where the verdict leaves something to be desired."""

from twotower.assessment.verdict import TOO_LITTLE, Verdict


def next_step(conclusion: Verdict, *, has_times: bool, user_tower: str) -> str | None:
    """A wider search, by the commands that run it; None if every baseline is beaten.

    Where it is the data that do not suffice, no search will do.

    Args:
        conclusion: the verdict on the model.
        has_times: whether the rows have times, so that their order is known.
        user_tower: `model.user_tower` of the model.
    """
    if conclusion.baseline is None or conclusion.text == TOO_LITTLE:
        return None
    advice = "`twotower preset presets/quality.yaml`, then `dvc repro`: a wider search"
    if has_times and user_tower != "sequence":
        advice += "; or presets/sequence.yaml, a model of the order of events"
    return advice
