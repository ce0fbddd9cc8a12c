"""Agents propose; certune proves or measures; nothing else gets in."""

__version__ = "0.1.0"
