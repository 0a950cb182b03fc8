"""Vectors by name: what a collection is, the interface of an engine that keeps it, and the engines."""
