"""Answers that were computed before: in this process, in Redis, and which of them still count."""
