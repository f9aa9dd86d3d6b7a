"""What Markov transitions of several families share."""
