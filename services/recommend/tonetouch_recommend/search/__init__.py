"""Search: by names, by lines that are sung, and by meaning, in one ranking."""
