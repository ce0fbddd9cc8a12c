"""Task families: trusted code that gives specifications their meaning."""
