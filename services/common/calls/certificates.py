"""Which certificates an HTTP client has to read."""

import ssl

import httpx


def trusted(url: str) -> ssl.SSLContext:
    """The certificates by which a client of `url` checks servers: those of httpx for https, which
    are certifi's or those that SSL_CERT_FILE names; none for http.

    Reading them takes 15 to 50 ms of processor time, for each client anew. A client that has none
    refuses every https address, so a redirect there stays safe.
    """
    if url.partition(":")[0].lower() == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()
