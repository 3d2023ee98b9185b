"""The prepare stage: raw files → typed splits, vocabularies, side features, a report."""

from twotower.ingest.prepare import prepare

__all__ = ["prepare"]
