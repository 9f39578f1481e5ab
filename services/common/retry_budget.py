"""How many calls may be tried again: a share of all, so that retries cannot become a storm."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class RetryBudget:
    """Each call earns `share` of a retry, up to `most` saved ones; each retry costs one."""

    share: float = 0.1
    most: float = 10.0
    _saved: float = field(init=False)

    def __post_init__(self) -> None:
        self._saved = self.most

    def called(self) -> None:
        self._saved = min(self.most, self._saved + self.share)

    def allows(self) -> bool:
        """Whether one more retry may go out; it is taken from the budget."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
