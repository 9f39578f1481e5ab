"""Which certificates an HTTP client has to read."""

import ssl


def trusted(url: str) -> ssl.SSLContext | bool:
    """The value of httpx's `verify` for a client of `url`: the machine's certificates for https,
    none for http.

    Reading the machine's certificates takes 15 to 50 ms of processor time, for each client anew. A
    client that has none refuses every https address, so a redirect there stays safe.
    """
    if url.partition(":")[0].lower() == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True
