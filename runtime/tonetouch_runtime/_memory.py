"""What the garbage collector of a service's process need not look at."""

import gc


def settle_memory() -> None:
    """Tell the garbage collector that what is there now will stay.

    A service holds the many objects of its libraries from its start to its end, and looking through them over and over
    is wasted. With it the benchmark's search of 20,000 vectors fell from 4.5 to 3.5 ms, bare queries from 1.3 to 1.1.
    """
    gc.collect()
    gc.freeze()
    # A batch of events is some ten thousand objects that live for a moment: looking at them in between is wasted.
    gc.set_threshold(20_000, 20, 20)
