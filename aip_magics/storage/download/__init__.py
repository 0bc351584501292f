"""Downloads: plan, then parallel range requests into a directory or a cache."""
