"""Listens to one sound: decoding, measuring, fingerprint, tags, lyrics and cover."""
