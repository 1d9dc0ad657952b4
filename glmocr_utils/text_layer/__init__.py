"""A PDF's own text: its characters with their places, and the order in which they are read."""
