"""The offline half: from raw text to model directories."""
