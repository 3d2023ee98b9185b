"""Final training on all but the test split, and the one place where the test split is scored."""

from twotower.refit.run import RefitOutputs, num_parts, read_search, refit

__all__ = ["RefitOutputs", "num_parts", "read_search", "refit"]
