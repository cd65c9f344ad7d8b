"""What comes next in each phase of a release."""
