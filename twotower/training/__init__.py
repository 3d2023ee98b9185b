"""The towers, their losses, and the fit loop."""
