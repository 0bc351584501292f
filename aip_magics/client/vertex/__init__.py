"""REST client of Vertex AI's API (aiplatform v1): its models, endpoints and operations in the terms of a cell."""
