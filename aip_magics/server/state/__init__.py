"""State of the server: database, snapshots of models and packages, quotas, and the serializers of rows."""
