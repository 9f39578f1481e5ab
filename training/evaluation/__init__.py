"""Evaluation: tasks made of the literature, runs of every leg, and measures with intervals."""
