"""What a listener likes: what they said and heard, as vectors."""
