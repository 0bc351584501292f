"""Helpers of the verbs: Command and Context, options, the magic's line and cell, execution, history and caches."""
