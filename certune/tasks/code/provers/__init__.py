"""Provers of other languages: candidates are read here, tools run in the sandbox."""
