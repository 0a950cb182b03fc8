"""Everything that writes or talks: texts about artists, albums and tracks."""
