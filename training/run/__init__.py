"""A training run: its recipe, loop, checkpoints, log and process settings."""
