"""What people read of one project: its releases, their metrics and logs."""
