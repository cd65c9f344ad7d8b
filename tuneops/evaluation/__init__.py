"""Whether a trained model is good enough to be registered. Pure."""
