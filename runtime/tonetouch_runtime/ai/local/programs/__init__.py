"""Programs that run in a process of their own, started by their path and importing nothing of ours.

What they load is not safe between threads, holds the interpreter while it works, may die of hostile bytes or is under
another licence than this package. Input comes by standard input, output goes to standard output; an exit status of 3
says that the input is refused, with the reason on standard error.
"""
