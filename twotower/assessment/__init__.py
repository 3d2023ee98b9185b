"""What the test split says of the final model: against references, with how much certainty."""
