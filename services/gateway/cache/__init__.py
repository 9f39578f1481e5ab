"""Stores of computed answers, in this process and in Redis. They know nothing of searches."""
