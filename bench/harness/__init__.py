"""The harness: the budget, the meter, the clock, the one loop, and the judge."""
