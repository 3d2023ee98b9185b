"""The pipeline run again in a scratch clone, and how its outputs differ from the committed ones."""
