"""What every service is as a server of HTTP: its start and end, its connections, the checks of a
request before a route sees it, and errors as problem+json."""
