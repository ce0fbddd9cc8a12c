"""Collective communication: topologies × collectives × sizes."""
