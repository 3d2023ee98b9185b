"""Prepared data: vocabularies, interactions, side features, and the folder that holds them."""
