"""The AI client and its embedded engines."""
