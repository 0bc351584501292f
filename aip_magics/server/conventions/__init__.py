"""Google's conventions for REST APIs: JSON, errors, field masks, filters, pagination, etags, and request validation."""
