"""The final model on the test split: against baselines, with intervals, tests and a verdict."""
