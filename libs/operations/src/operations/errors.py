"""What a command says when it cannot go on."""


class CommandError(Exception):
    """The command cannot do it; the message is one sentence for the person at the terminal and says what to do."""


def said(error: BaseException) -> str:
    """The words of an error; its name when it has none, as a time-out."""
    return str(error).strip() or type(error).__name__
