"""Where studies are kept: files, databases, locks, the declared snapshot."""
