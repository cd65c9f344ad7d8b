"""What runs and what it costs: the limit on new deployments, and the daily summary."""
