"""The command line ``stoker``."""
