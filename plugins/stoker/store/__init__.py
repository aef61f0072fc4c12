"""Bytes with one conditional write: create this key if it does not exist."""
