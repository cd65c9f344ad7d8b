"""The overview: what people see of all projects at once, kept in one document."""
