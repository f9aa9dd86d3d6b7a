"""Makes the committed reference samples of targets that have no exact sampler."""
