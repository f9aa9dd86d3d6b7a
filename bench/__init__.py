"""The harness: command line, suites, budget, meter, clock, the one loop, where jobs run."""
