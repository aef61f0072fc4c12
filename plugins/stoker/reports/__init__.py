"""Reports and model cards: self-contained HTML out of stored documents."""
