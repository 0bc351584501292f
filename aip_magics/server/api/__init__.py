"""Handlers of the prediction REST API, one file per kind of resource, and their routes."""
