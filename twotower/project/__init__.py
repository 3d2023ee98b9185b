"""A project of one's own: parameters, stages and settings, without a clone of the repository."""
