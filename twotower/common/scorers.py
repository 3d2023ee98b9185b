"""What the scorers are called in results files, in metrics/ and on the terminal."""

MODEL = "optimized"
"""The two-tower with the best hyperparameters of the search."""
DEFAULT = "default"
"""The two-tower with the hyperparameters of sections `model` and `train`."""
RANDOM = "random"
"""The expectation of a random ranking under the same masks."""
