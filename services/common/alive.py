"""`python -m services.common.alive PORT [PATH]`: the health check of an image, which has no curl.

Ends with 0 if the service on this machine answers with success within three seconds, else with 1.
"""

import http.client
import sys

_SECONDS = 3.0


def answers(port: int, path: str = "/livez") -> bool:
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
