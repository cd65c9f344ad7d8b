"""What to make of what was looked up. Pure."""
