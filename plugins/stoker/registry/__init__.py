"""Models on top of bytes: a commit log, versions, aliases, audit."""
