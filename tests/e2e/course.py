"""The way of a release that trains and goes live."""

COURSE = (
    "Preparing",
    "Training",
    "Evaluating",
    "Registering",
    "Deploying",
    "Testing",
    "Shifting",
)
"""The phases before Live, in their order."""
