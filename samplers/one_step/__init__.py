"""One-step generators."""
