"""Records of jobs, the store that keeps them, and tidy tables of them."""
