"""HTTP client of Cloud Storage: connection pool, credentials, retries, error translation."""
