"""`python -m services.common.alive PORT [PATH]`: the health check of images, which hold no curl.

It exits with 0 if the service on this machine answers PATH (default /livez) with a status below
400 within three seconds, else with 1.
"""

import http.client
import sys

_SECONDS = 3.0


def answers(port: int, path: str = "/livez") -> bool:
    """Whether a service listens on `port` of this machine and answers `path` with success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(int(sys.argv[1]), *sys.argv[2:3]) else 1)
