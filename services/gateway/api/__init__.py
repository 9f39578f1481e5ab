"""Routes of the public API, a module per noun."""
