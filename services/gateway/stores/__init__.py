"""The connections of the gateway: Redis and the other services."""
