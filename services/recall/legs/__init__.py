"""The two legs of a search: how they are asked, what they found, and their fusion."""
