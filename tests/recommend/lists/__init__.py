"""Lists that are served, on one installation with one library."""
