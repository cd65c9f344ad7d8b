"""The page: what people see of all projects in a browser, rendered by the function app."""
