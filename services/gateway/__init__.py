"""Gateway: the public REST API."""
