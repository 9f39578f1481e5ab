"""The way to Redis: addresses as people write them, and clients for each kind of server."""
