"""Local files -> objects -> item: the commit protocol."""
