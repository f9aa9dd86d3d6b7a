"""The sections of the report, one a file; results/report/page.py puts them in order."""
