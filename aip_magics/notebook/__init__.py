"""Magics of the notebook, and how they show progress and results."""
