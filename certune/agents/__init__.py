"""Who proposes: built-in search, and later language models and coding agents."""
