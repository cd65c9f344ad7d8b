"""The pictures of docs/tutorial.md, made by walking through it: ``make pictures``."""
