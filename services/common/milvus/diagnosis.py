"""The reason why Milvus cannot be entered. The client's error is the same for every reason, so the
steps of a connection are tried one by one."""

import asyncio
import ssl
from urllib.parse import urlsplit

from services.common.milvus_address import MilvusAddress

_PORT = 19530


async def why_not_entered(address: MilvusAddress, seconds: float) -> str:
    """A sentence that says why Milvus cannot be entered and names the setting to look at.

    Each step of the connection may take `seconds`.
    """
    parts = urlsplit(address.uri)
    host, port = parts.hostname or "", parts.port or _PORT
    where, prefix = f"Milvus at {host}:{port}", address.prefix
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return f"{where} cannot be reached; if it should be elsewhere, change {prefix}MILVUS_URI."
    writer.close()
    if parts.scheme == "https":
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(host, port, ssl=_context(address))
        except ssl.SSLCertVerificationError as error:
            reason = error.verify_message or "its name is another one"
            return f"The certificate of {where} is not trusted ({reason}): see {prefix}MILVUS_CA."
        except (OSError, TimeoutError):
            return (
                f"{where} does not answer to TLS: see {prefix}MILVUS_URI (https:// or http://),"
                f" and {prefix}MILVUS_CERTIFICATE if it asks for one."
            )
        writer.close()
    return (
        f"{where} listens and lets nobody in yet: it is starting, or {prefix}MILVUS_TOKEN is wrong,"
        f" or it asks for {'a certificate' if parts.scheme == 'https' else 'TLS'}"
        f" ({prefix}MILVUS_{'CERTIFICATE' if parts.scheme == 'https' else 'URI'})."
    )


def _context(address: MilvusAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=address.ca)
    context.set_alpn_protocols(["h2"])
    if address.certificate:
        context.load_cert_chain(address.certificate, address.key)
    return context
