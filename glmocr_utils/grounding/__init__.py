"""Where on the page each token came from."""
