"""The training pipeline, from raw text to model directories."""
