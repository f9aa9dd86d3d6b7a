"""Maintainers' programs: each makes or checks something that is committed."""
