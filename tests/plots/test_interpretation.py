import random
import shlex

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from tests.plots.searches import trial
from twotower.config import load_config
from twotower.plots.interpretation import interpret, negligible, never_good

SPACE = {
    "init": {"type": "categorical", "choices": ["random", "ridge"]},
    "dim": {"type": "int", "low": 8, "high": 64, "step": 8, "only_if": {"init": "random"}},
    "lr": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
    "batch_size": {"type": "categorical", "choices": [64, 128, 256]},
    "ridge_penalty":
        {"type": "float", "low": 0.1, "high": 10, "log": True, "only_if": {"init": "ridge"}},
}  # fmt: skip
DEFAULTS = {"init": "random", "dim": 32, "lr": 0.003, "batch_size": 256}
RULES = {
    "high lr": lambda p: 0.0 if p["lr"] > 0.01 else 0.2,
    "low lr": lambda p: 0.0 if p["lr"] < 0.001 else 0.2,
    "ridge": lambda p: 0.0 if p["init"] == "ridge" else 0.2,
    "batch": lambda p: 0.0 if p["batch_size"] == 256 else 0.2,
    "dim": lambda p: 0.0 if p.get("dim", 0) > 45 else 0.2,
}
"""Where a search is bad."""


def found(search, rule, count=60, **changes):
    """A search whose value depends on the rule, and on nothing else but chance."""
    rng = random.Random(11)  # noqa: S311 - not a secret
    rows = []
    for number in range(count):
        params = {
            "init": rng.choice(["random", "ridge"]),
            "lr": 10 ** rng.uniform(-4, -1),
            "batch_size": rng.choice([64, 128, 256]),
        }
        if params["init"] == "random":
            params["dim"] = rng.randrange(8, 65, 8)
        else:
            params["ridge_penalty"] = 10 ** rng.uniform(-1, 1)
        params = params if number else DEFAULTS
        rows.append(trial(RULES[rule](params) + rng.uniform(0, 0.01), **params))
    return search(rows, SPACE, **changes)


@pytest.mark.parametrize(
    ("rule", "line", "arguments"),
    [
        ("high lr", "lr is never good above 0.01 (", "-S 'hpo.search_space.lr.high=0.01'"),
        # Trial 0, the defaults, has 0.003.
        ("low lr", "lr is never good below 0.001 (", "-S 'hpo.search_space.lr.low=0.001'"),
        ("ridge", "init ridge is never good (", "-S '+hpo.fixed.init=random'"),
        (
            "batch",
            "batch_size 256 is never good (",
            "-S 'hpo.search_space.batch_size.choices=[64,128]' -S hpo.include_defaults=false",
        ),
        ("dim", "dim is never good above 48 (", "-S 'hpo.search_space.dim.high=48'"),
    ],
)
def test_what_is_never_good_is_named_with_its_command(search, rule, line, arguments):
    lines = [one for one in interpret(found(search, rule)) if "never good" in one]

    assert len(lines) == 1
    assert lines[0].startswith(line)
    assert "trials among the best quarter): dvc exp run " in lines[0]
    assert lines[0].endswith(f"dvc exp run {arguments}")


def test_a_choice_that_conditions_name_is_taken_out_by_hand(search):
    space = SPACE | {"loss": {"type": "categorical", "choices": ["mse"], "only_if": {
        "batch_size": 256}}}  # fmt: skip
    base = found(search, "batch")
    rows = [trial(t.value, **t.params) for t in base.completed]
    lines = interpret(search(rows, space))

    assert any(
        line.startswith("batch_size 256 is never good")
        and line.endswith(
            "take it out of hpo.search_space.batch_size and of the only_if that name it"
        )
        for line in lines
    )


def test_what_made_no_difference_is_fixed_at_its_default(search):
    lines = negligible(found(search, "high lr", count=80))

    fixed = next(line for line in lines if line.startswith("batch_size "))
    assert "made no difference" in fixed
    assert fixed.endswith("to pin it to 256: dvc exp run -S '+hpo.fixed.batch_size=256'")
    assert not any(line.startswith("lr ") for line in lines)


def test_too_few_trials_say_nothing(search):
    few = found(search, "high lr", count=6)

    assert never_good(few) == []
    assert negligible(few) == []


def test_chance_is_no_finding(search):
    rng = random.Random(13)  # noqa: S311 - not a secret
    wrong = 0
    for _ in range(30):
        rows = [
            trial(rng.random(), lr=10 ** rng.uniform(-4, -1), batch_size=rng.choice([64, 128, 256]))
            for _ in range(20)
        ]
        wrong += bool(never_good(search(rows, SPACE)))
    assert wrong <= 5  # of 30, one in ten is allowed


def test_what_made_no_difference_is_not_to_be_widened(search):
    advice = ["batch_size 256 is at the high end of what was searched: dvc exp run -S 'x=1'"]
    assert advice[0] not in interpret(found(search, "high lr", count=80, advice=advice))
    other = ["lr 0.01 is at the high end of what was searched: dvc exp run -S 'x=1'"]
    assert interpret(found(search, "high lr", count=80, advice=other))[0] == other[0]


@pytest.mark.parametrize("rule", RULES)
def test_every_command_makes_parameters_that_are_valid(search, tmp_path, rule):
    """As DVC applies them, to a file that has the space and the defaults of the search."""
    drawn = found(search, rule, count=80)
    hpo = {"search_space": SPACE, "include_defaults": True, "fixed": {}}
    model = {"init": "random", "dim": 32}
    train = {"lr": 0.003, "batch_size": 256}
    path = tmp_path / "params.yaml"
    commands = [line.partition("dvc exp run ")[2] for line in interpret(drawn)]
    assert commands
    for command in commands:
        path.write_text(yaml.safe_dump({"hpo": hpo, "model": model, "train": train}))
        apply_overrides(path, [part for part in shlex.split(command) if part != "-S"])
        config = load_config(path)
        assert config.search_space.searched.keys() <= SPACE.keys()
        written = yaml.safe_load(path.read_text())
        assert written["hpo"] != hpo
