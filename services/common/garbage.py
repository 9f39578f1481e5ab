"""Keeps the pauses of Python's garbage collector out of a service's answers."""

import gc

_YOUNG = 20_000
"""Number of new objects after which the collector looks at the young ones. A search makes about
five thousand objects, nearly all of which reference counting frees; with Python's default of 700
they would reach the old generations."""


def set_apart() -> None:
    """Excludes the objects that the start has made, and that stay, from garbage collection.

    Otherwise a full collection during some search would walk every object of every module, for up
    to a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
