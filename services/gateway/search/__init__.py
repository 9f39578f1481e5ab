"""Searches, from their route through recall and rank to the answer."""
