"""Simulated compute: nothing is trained; for tests of load and of faults.

With `simulated_compute` in the manifest, fine-tuning jobs read their data, go through the steps of
the real pipeline, report the metrics that it reports and leave an MLflow model of its shape. The
metrics are made up, and the model is a table of the answers in its data. Deployments are served
from that table, within the workspace's process. Data preparation and other commands are run as
always. All else, from Azure's protocol to the faults, is the same code.
"""
