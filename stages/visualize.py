"""Stage `visualize`: results of the search → plots/."""

from twotower.stages.visualize import main

if __name__ == "__main__":
    main()
