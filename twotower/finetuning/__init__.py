"""A model that continues from an earlier one: its weights carried over, its vectors comparable."""
