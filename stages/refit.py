"""Stage refit: best and default hyperparameters on train + validation, scored on test."""

from pathlib import Path

from twotower.common.cli import one_line_errors
from twotower.config import load_config
from twotower.refit import read_best_params, refit


def main() -> None:
    """Run the stage in the current directory."""
    config = load_config()
    metrics = refit(config, read_best_params(Path("hpo_results.json")))
    if not metrics["scored"]:
        why = "there is no test split" if config.refit.score_test else "refit.score_test is false"
        print(f"model written to .artifacts_best/; it is unscored: {why}")
        return
    metric = config.hpo.objective
    print(f"test {metric} over {metrics['evaluated']['num_users']} users:")
    for name in ("optimized", "default", "popularity", "random"):
        value = metrics[name].get(metric)
        print(f"  {name:<10} {metrics[name]['failure'] if value is None else f'{value:.4f}'}")


if __name__ == "__main__":
    with one_line_errors():
        main()
