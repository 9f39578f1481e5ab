"""References to literature: what their fields are called, and how they are written as text."""
