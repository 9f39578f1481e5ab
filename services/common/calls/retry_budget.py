"""Limits retries to a share of all calls, so that an outage does not double the load."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class RetryBudget:
    """Every call earns `share` of a retry, and each retry takes one; at most `most` are saved."""

    share: float = 0.1
    most: float = 10.0
    _saved: float = field(init=False)

    def __post_init__(self) -> None:
        self._saved = self.most

    def called(self) -> None:
        """Reports a first attempt, which earns a share of a retry."""
        self._saved = min(self.most, self._saved + self.share)

    def allows(self) -> bool:
        """Takes one retry from the budget. Returns False if less than one is left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
