"""From a trained model in a notebook to a served, described AI Platform Prediction version."""

__version__ = "0.1.0"
