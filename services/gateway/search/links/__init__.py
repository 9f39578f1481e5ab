"""The links of the chain that a search passes before its cascade."""
