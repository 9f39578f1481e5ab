"""Calls from one service to another over HTTP: the client, its transport, retries and breaker."""
