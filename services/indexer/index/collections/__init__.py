"""Collections: their states in this process, what is stored beside their rows, and their end."""
