"""Shared parts of the files one folder up."""
