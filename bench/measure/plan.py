"""How long, how often and how many: one plan for all measurements."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    seconds: float
    """Measured length of each load run."""
    warmup_seconds: float
    """Load before each measured length."""
    rounds: int
    """Times that each of a pair is measured, in turn; medians are reported."""
    starts: int
    """Starts of a server whose median is reported."""
    many_locks: int
    """Locks of a full server."""
    many_waiters: int
    """Waiters of one lock that many want."""
    queueing_seconds: float
    """Load before they are measured: time for all of them to stand in line."""

    @classmethod
    def of(cls, quick, seconds, rounds):
        """The plan for the options given; `None` means the default."""
        usual = (
            cls(1.5, 0.5, 2, 3, 100_000, 1_000, 1.0)
            if quick
            else cls(8.0, 2.0, 3, 5, 1_000_000, 10_000, 8.0)
        )
        return cls(
            seconds or usual.seconds,
            usual.warmup_seconds,
            rounds or usual.rounds,
            usual.starts,
            usual.many_locks,
            usual.many_waiters,
            usual.queueing_seconds,
        )
