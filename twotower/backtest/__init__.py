"""`twotower backtest`: the pipeline at cut-offs in the past, and what it says of the future.

Each fold searches and refits on what came before its cut-off, and is scored on the period after it.
The models of earlier folds are scored on the same users: what a model loses with age, what
retraining less often costs, whether tuning pays, and whether the verdict holds in other periods.
"""

from pathlib import Path

BACKTEST = Path("backtest")
"""Folder of what is found."""
