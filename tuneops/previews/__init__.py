"""Previews: a model and an endpoint of its own for a pull request, for a while.

A preview is a project of its own, ``PROJECT~NUMBER``, that git's tracked branch knows nothing of:
an open pull request wants it. It shares jobs, models and data with its project, and nothing else.
"""
