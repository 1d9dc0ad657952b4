"""This project beside what a user would otherwise run: `make bench` prints the table."""
