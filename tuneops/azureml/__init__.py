"""The only place that knows the Azure ML SDK.

The SDK takes seconds to import, so it is imported inside the functions that need it. Nothing here
waits: long operations are begun, and `endpoints.observe` looks at them later.
"""
