"""How the simulator counts tokens: four bytes of UTF-8 each, rounded up."""

BYTES_A_TOKEN = 4
TOKENS_A_MESSAGE = 4


def tokens_of(text: str) -> int:
    """The tokens of one text; an empty one has none."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


def tokens_of_prompt(rendered: str, messages: int) -> int:
    """The tokens of a prompt: its text as one, and four for each message."""
    return tokens_of(rendered) + TOKENS_A_MESSAGE * messages


def first_tokens(text: str, count: int) -> str:
    """As much of a text as `count` tokens hold."""
    return text.encode()[: count * BYTES_A_TOKEN].decode(errors="ignore")
