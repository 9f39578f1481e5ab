"""The queries that are asked most often: counted, shown, and computed ahead."""
