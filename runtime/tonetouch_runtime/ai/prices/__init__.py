"""The price book: what stands in it, and what is worked out from it once."""
