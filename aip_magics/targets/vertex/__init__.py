"""Target Vertex AI, the successor of AI Platform Prediction."""
