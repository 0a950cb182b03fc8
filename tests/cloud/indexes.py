"""The vector indexes of an account."""

from tests.cloud.clock import Clock


class Indexes:
    """All indexes of one account."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.write_delay_seconds = 0.0
