"""Boosts: fields of documents that raise or lower the scores of a search's hits."""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.common.fields.names import WHOLE_NAME
from services.common.fields.values import MAX_STRING_BYTES
from services.common.patterns import explained

MAX_BOOSTS = 10
MAX_BOOSTED_VALUES = 100
_FORMS = ("recency", "halfway", "values")
_DAYS = {"d": 1.0, "m": 365.25 / 12, "y": 365.25}

MIN_FACTOR, MAX_FACTOR = 0.01, 100.0
Factor = Annotated[float, Field(ge=MIN_FACTOR, le=MAX_FACTOR, strict=True)]
"""Multiplies the odds of relevance: 2 makes 40 % about 57 %, and 0.5 makes it 25 %."""
BoostedValue = Annotated[str, StringConstraints(max_length=MAX_STRING_BYTES)]


class Boost(BaseModel):
    """Raises or lowers the scores of documents by one field, in exactly one of three forms."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    field: str = Field(pattern=WHOLE_NAME, description="Name of the field")
    recency: str | None = Field(
        default=None,
        pattern=explained(
            r"^[1-9][0-9]{0,3}[dmy]$", "write a number and d, m or y, such as 90d or 5y"
        ),
        description="Half-life of the effect in days, months or years, such as `90d` or `5y`: a"
        " date of today has the whole effect, one of this age half of it",
    )
    halfway: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        description="The number at which half of the effect is reached; 0 has none of it",
    )
    values: dict[BoostedValue, Factor] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_BOOSTED_VALUES,
        description="Factor of each value; numbers, true and false are written as texts",
    )
    factor: Factor = Field(
        default=2.0,
        description="Factor of the odds of relevance at the whole effect, for `recency` and"
        " `halfway`; below 1 it lowers scores",
    )

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        given = [name for name in _FORMS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                'a boost has one of `recency` (such as "5y"), `halfway` (such as 50) and `values`'
                ' (such as {"中国科学": 2})'
            )
        if self.values is not None and "factor" in self.model_fields_set:
            raise ValueError("`values` has a factor for each value; leave `factor` out")
        return self

    @property
    def half_life_days(self) -> float | None:
        """The half-life of `recency` in days."""
        return None if self.recency is None else int(self.recency[:-1]) * _DAYS[self.recency[-1]]

    @property
    def log_odds(self) -> float:
        """The log-odds that the whole effect of `recency` or `halfway` adds."""
        return math.log(self.factor)

    def members(self) -> dict[str, Any]:
        """The members that determine the boost; equal boosts have equal ones."""
        left_out = {"factor"} if self.values is not None else None
        return self.model_dump(exclude_none=True, exclude=left_out)
