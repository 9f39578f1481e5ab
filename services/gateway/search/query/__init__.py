"""What a search asks: its body, its query's operators and its budget."""
