"""Jobs: the plan of a run, the processes they run in, and what comes back from them."""
