"""Tasks that wait: for files, for a model."""
