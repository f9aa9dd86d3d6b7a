"""Suites: which samplers meet which targets, under which budget, judged how."""
