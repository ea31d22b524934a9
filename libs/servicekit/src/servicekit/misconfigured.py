"""The one error that is the operator's to mend before the process starts."""


class Misconfigured(ValueError):
    """A setting is missing or does not go with another one. The message is a sentence that names it."""
