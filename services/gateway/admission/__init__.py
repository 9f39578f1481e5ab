"""How many searches may run at once, and who waits or is refused."""
