"""A/B tests of models in service: who gets which, and what came of it."""

from twotower.ab.assignment import assign

__all__ = ["assign"]
