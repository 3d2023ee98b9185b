"""The deterministic search: the same identity gives the same trials, however it is interrupted."""
