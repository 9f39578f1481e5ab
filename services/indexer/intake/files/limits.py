"""Limits of this process on what it takes of the machine."""

import resource


def limit(kind: int, most: int) -> None:
    """Lowers a limit of this process, such as `resource.RLIMIT_AS`; one that is lower stays."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def lift(kind: int) -> None:
    """Lifts a limit as far as the process may."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (hard, hard))
