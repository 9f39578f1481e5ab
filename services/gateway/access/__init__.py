"""Checks of a request before its route: the caller, their rights, the size of what they send."""
