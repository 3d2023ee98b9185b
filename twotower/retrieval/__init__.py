"""Top-k items for a vector: exact, approximate or by popularity, and a second stage; no torch."""
