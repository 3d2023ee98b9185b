"""Items that came after training: read, encoded, and added to a model."""
