"""Reads files that are one document each, and sheets, in a process of its own, since readers may
crash."""
