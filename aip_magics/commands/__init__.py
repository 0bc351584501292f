"""The verbs: what magics and the command line have in common."""
