"""An Azure Machine Learning workspace and registry that speak Azure's own wire protocols."""
