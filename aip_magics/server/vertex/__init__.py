"""Vertex AI's API (`aiplatform` v1): models with versions, endpoints, operations, locations.

Object store, snapshots and node groups are those of AI Platform's API: a model deployed to an endpoint is a row of
`versions`. `names` has the keys, `resources` the API's values, `routes` the methods.
"""
