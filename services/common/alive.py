"""`python -m services.common.alive PORT [PATH]`: the health check of images, which hold no curl.

It prints the answer of the service on this machine to PATH (default /livez), which says what is
missing, and exits with 0 if its status is below 400 and it comes within three seconds, else with 1.
"""

import http.client
import sys

_SECONDS = 3.0


def main(port: int, path: str = "/livez") -> int:
    """Asks the service that listens on `port` of this machine; returns the exit code."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        sys.stdout.write(f"Nothing answers on port {port} within {_SECONDS:g} s.\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"{text}\n")
    return 0 if response.status < 400 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:3]))
