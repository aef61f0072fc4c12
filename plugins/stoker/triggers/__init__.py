"""What waits in the triggerer. Nothing here holds the truth: events only wake a DAG, which asks the store."""
