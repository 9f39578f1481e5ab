"""Whether a connection reads on: Uvicorn's flow control with a bound that applications keep to."""

from uvicorn.protocols.http.flow_control import FlowControl


class Reading(FlowControl):
    """Flow control that cannot be resumed while the connection is full.

    Uvicorn resumes reading whenever an application waits for a message, and one that asks again and
    again whether its caller has gone would read everything that a client sends meanwhile.
    """

    full = False
    """Whether the connection holds so much for later that it reads nothing more."""

    def resume_reading(self) -> None:
        if not self.full:
            super().resume_reading()
