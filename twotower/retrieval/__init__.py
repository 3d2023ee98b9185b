"""Top-k items for a vector: exact, from an approximate index, or by popularity; a second stage; no torch."""
