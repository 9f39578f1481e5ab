"""The losses of the training stages: one module for each objective, with its recipe."""
