"""What the server keeps: its database, copies of models and packages, and the resources made from its rows."""
