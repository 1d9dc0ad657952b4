"""How well coverage finds what a reading left out and what it made up; see `__main__`."""
