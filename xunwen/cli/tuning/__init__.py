"""`xunwen tune`: which search parameters a collection needs, by measurement on its own data."""

from xunwen.cli.tuning.command import app

__all__ = ["app"]
