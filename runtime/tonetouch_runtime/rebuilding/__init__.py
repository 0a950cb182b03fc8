"""Read models made anew beside the live ones: filled from the log, compared, and let stand in one step.

Readers never see a table that is empty or half built. Whatever is killed in the middle goes on where it stopped.
"""
