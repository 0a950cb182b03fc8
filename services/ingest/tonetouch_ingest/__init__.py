"""Ingest listens to the bytes: it carries every upload through its workflow to a published track."""
