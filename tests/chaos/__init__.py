"""The fault suite: whole releases while everything around them goes wrong. `make chaos` runs it."""
