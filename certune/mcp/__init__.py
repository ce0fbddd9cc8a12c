"""The door for coding agents that speak the Model Context Protocol. Needs ``certune[mcp]``."""
