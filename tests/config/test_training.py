import pytest

from twotower.common.errors import ConfigError
from twotower.config import parse_config
from twotower.config.training import ModelConfig, TrainConfig, check_start
from twotower.config.training_choices import LOSSES, SCHEDULES, STARTS


@pytest.mark.parametrize(
    ("section", "key", "table"),
    [("train", "loss", LOSSES), ("train", "schedule", SCHEDULES), ("model", "init", STARTS)],
)
def test_an_unknown_name_is_refused_with_the_known_ones(section, key, table) -> None:
    message = f"{section}.{key}: must be one of {', '.join(table)}, got 'none'"
    with pytest.raises(ConfigError, match=message):
        parse_config({section: {key: "none"}})


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0.25]), ("cosine", [1, 0.5, 0.1464466])],
)
def test_schedules(schedule, factors) -> None:
    actual = [SCHEDULES[schedule].factor(progress) for progress in (0, 0.5, 0.75)]
    assert actual == pytest.approx(factors)


@pytest.mark.parametrize("table", [LOSSES, STARTS])
def test_functions_of_the_rows_exist(table) -> None:
    """Rows name them by their path, which no type checker follows."""
    for row in table.values():
        with pytest.raises(TypeError, match=r"missing .* required positional argument"):
            row.function()


def test_starts_that_need_training_refuse_to_go_without() -> None:
    for init, start in STARTS.items():
        if start.is_model:
            check_start(ModelConfig(init=init), TrainConfig(epochs=0))
        else:
            with pytest.raises(ValueError, match=f"needs model.init: .*, got {init}"):
                check_start(ModelConfig(init=init), TrainConfig(epochs=0))


def test_an_unknown_extra_baseline_is_refused_with_the_known_ones() -> None:
    message = r"refit\.extra_baselines.*must be one of ials, got 'als'"
    with pytest.raises(ConfigError, match=message):
        parse_config({"refit": {"extra_baselines": ["als"]}})


@pytest.mark.parametrize("budget", [{"minutes": 0}, {"gigabytes": -1}, {"hours": 1}])
def test_a_budget_is_positive(budget) -> None:
    with pytest.raises(ConfigError, match=r"refit\.baseline_budget"):
        parse_config({"refit": {"baseline_budget": budget}})
