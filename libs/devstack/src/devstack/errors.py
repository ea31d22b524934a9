"""What the `switchhook` command says when this machine's stack cannot go on."""

from operations.errors import CommandError


class StackError(CommandError):
    """The stack cannot be started; the message is one sentence for the person at the terminal and says what to do."""
