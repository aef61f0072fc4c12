"""Policies read from files, and what turns single steps into a loop."""
