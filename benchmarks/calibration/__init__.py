"""Do verdicts and intervals err as often as they say? The tables of docs/calibration.md."""
