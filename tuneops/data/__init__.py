"""Training data: reading, checking, splitting and storing it."""
