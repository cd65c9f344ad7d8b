"""A host for Azure Functions apps of the Python v2 programming model.

It serves whatever ``function_app.py`` declares with HTTP, Event Grid, queue and timer triggers and
queue outputs. Everything it knows of an app it learns from the app and its ``host.json``.
"""
