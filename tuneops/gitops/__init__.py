"""Git as the source of what should be, and the commit as a place to say how it went."""
