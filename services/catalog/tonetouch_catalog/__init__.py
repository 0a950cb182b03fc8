"""What exists: tracks and what comes with them, and what was heard of them."""
