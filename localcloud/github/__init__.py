"""A bare git repository behind GitHub's REST API, with signed webhooks.

https://docs.github.com/rest and https://docs.github.com/webhooks say what is imitated.
"""
