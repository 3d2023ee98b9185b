"""How sure a mean over users is, and whether two scorers differ."""
