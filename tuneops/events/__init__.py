"""What became of each event that came in."""
