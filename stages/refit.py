"""Stage `refit`: best and default hyperparameters on train + validation, scored on test."""

from twotower.stages.refit import main

if __name__ == "__main__":
    main()
