"""The words of a query: their analysis, wordings, phrases, and the values that they name."""
