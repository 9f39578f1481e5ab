"""The Python client and the command line of Xunwen."""

from xunwen.client import ApiError, AsyncClient, Client, ConnectionFailed, Document, XunwenError

__all__ = ["ApiError", "AsyncClient", "Client", "ConnectionFailed", "Document", "XunwenError"]
