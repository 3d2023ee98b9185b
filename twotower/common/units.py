"""Units of time, in seconds."""

DAY = 86_400
