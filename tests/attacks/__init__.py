"""What somebody would try who means harm: each is refused, written down, and changes nothing."""
