"""Keeps Python's garbage collector out of a service's start and out of its answers."""

import gc

_YOUNG = 20_000
"""Number of new objects after which the collector looks at the young ones. A search makes about
five thousand objects, nearly all of which reference counting frees; with Python's default of 700
they would reach the old generations."""


def set_apart() -> None:
    """Ends a start: turns the garbage collector on, and excludes from it the objects that the start
    has made and that stay.

    Otherwise a full collection during some search would walk every object of every module, for up
    to a tenth of a second. The programs turn the collector off before their imports, a quarter of
    whose time it would take.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
