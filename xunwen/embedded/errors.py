"""What the launcher says when it cannot do what it was asked."""

from xunwen.client.errors import XunwenError


class EmbeddedError(XunwenError):
    """One line for people: what is wrong and what to do. Nothing was left half-started."""


class NotRunning(EmbeddedError):
    """There is nothing to ask, stop or show."""
