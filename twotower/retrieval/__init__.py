"""The best items for a vector: exactly, from an index, or by popularity; imports no torch."""
