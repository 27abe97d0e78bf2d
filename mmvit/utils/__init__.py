"""Small helpers: the environment's description, texts, paths."""
