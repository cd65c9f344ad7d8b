"""What carries our tags and belongs to nothing: found, told, and in its time swept away."""
