"""The errors of the launcher."""

from xunwen.client.errors import XunwenError


class EmbeddedError(XunwenError):
    """The launcher cannot do what it was asked to, and has left nothing half-started.

    The message is one line for people: it says what is wrong and what to do.
    """


class NotRunning(EmbeddedError):
    """No system runs in the home directory."""
