"""Bars a sampler was set before it was run, as data (one TOML file each), and what it reached."""
