"""Confidence intervals of means over users, and tests of whether two scorers differ."""
