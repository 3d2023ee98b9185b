"""Top-k items for a vector, without torch: exact, from an index, by popularity; a second stage."""
