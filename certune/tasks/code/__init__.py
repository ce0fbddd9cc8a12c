"""Annotated functions of systems code, proven by Z3."""
