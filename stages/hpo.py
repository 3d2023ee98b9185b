"""Stage `hpo`: search the hyperparameters that rank the validation split best."""

from twotower.stages.hpo import main

if __name__ == "__main__":
    main()
