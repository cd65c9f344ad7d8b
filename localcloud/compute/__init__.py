"""The compute node: keeps torch loaded, takes jobs from the workspace and runs them."""
