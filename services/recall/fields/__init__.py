"""The metadata of documents in memory: counts, orders, groups and boosts."""
