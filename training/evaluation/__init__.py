"""Evaluation: tasks from the literature, runs of every leg, and measures with intervals."""
