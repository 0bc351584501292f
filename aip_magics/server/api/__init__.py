"""Handlers of the v1 API, one file for each kind of resource, and the routes that lead to them."""
