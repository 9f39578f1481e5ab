"""The admission of searches: how many are computed at once, and which wait."""
