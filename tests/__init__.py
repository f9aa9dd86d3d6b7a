"""Tests: laws, identities, oracles and kills."""
