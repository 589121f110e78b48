"""The cores of the rules, notify and deliver stages, behind the runtime's ports."""
