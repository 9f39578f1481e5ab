"""Networks in Paddle: bodies, encoders, rankers, their tokenizers, and their directories."""
