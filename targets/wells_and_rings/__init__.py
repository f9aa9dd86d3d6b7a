"""Wells and rings."""
