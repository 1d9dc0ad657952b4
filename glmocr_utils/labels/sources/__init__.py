"""The sources of labels, each a module of its own."""
