"""Who ordered what, when, from where, and what came of it."""
