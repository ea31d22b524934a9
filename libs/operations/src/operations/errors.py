"""What a command says when it cannot go on."""


class CommandError(Exception):
    """The command cannot do it; the message is one sentence for the person at the terminal and says what to do."""
