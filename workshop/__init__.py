"""What makes the bundled model, the samples and the pictures: no user calls it."""
