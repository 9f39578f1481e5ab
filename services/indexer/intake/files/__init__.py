"""Reads files that are one document each, and sheets, in a process of their own, since
readers may crash."""
