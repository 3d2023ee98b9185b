"""What a model must beat: scorers that need no search, behind the same protocol as the model."""
