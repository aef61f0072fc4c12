"""The heavy libraries live here and nowhere else; operators reach a module by name, inside ``execute``."""
