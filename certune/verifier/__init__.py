"""Solvers that several families share. It knows no family."""
