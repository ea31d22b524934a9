"""What the `switchhook` command says when it cannot go on."""


class StackError(Exception):
    """The stack cannot be started; the message is one sentence for the person at the terminal and says what to do."""
