"""The ways to people: one module for each kind, each with what it makes of a message."""
