"""`xunwen tune` measures on a collection's own data which search parameters it needs."""

from xunwen.cli.tuning.command import app

__all__ = ["app"]
