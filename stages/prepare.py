"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json."""

from twotower.stages.prepare import main

if __name__ == "__main__":
    main()
