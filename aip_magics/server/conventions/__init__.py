"""Google's conventions of REST APIs: JSON, errors, update masks, filters, paging, etags, validation of requests."""
