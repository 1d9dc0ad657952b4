"""A PDF's own text: its characters with their boxes, and the order in which they are read."""
