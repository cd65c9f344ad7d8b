"""What machines cost, as the repository's policy says. TuneOps knows no prices of its own."""

from collections import Counter
from typing import Annotated

from pydantic import Field, field_validator

from tuneops.section import Section

LOW_PRIORITY = "low_priority"

SizeName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")]
Price = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)]


class Prices(Section):
    """What a node costs in an hour; the same for all projects of the repository."""

    currency: Annotated[
        str, Field(pattern=r"^[A-Z]{3}$", description="Of all prices and limits, by ISO 4217")
    ] = "USD"
    per_hour: Annotated[
        dict[SizeName, Price],
        Field(
            min_length=1,
            max_length=200,
            description="A size of virtual machines, of any case, and the price of one node's hour",
            examples=[{"Standard_NC24ads_A100_v4": 3.67}],
        ),
    ]
    low_priority_factor: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="What a low-priority node costs beside a dedicated one; left out, as much",
        ),
    ] = None

    @field_validator("per_hour")
    @classmethod
    def _each_once(cls, given: dict[str, float]) -> dict[str, float]:
        twice = [size for size, times in Counter(map(str.lower, given)).items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]} has two prices, in different case")
        return given

    def of(self, size: str, tier: str = "dedicated") -> float | None:
        """The price of one node's hour, None when the table does not have the size."""
        by_name = {name.lower(): price for name, price in self.per_hour.items()}
        price = by_name.get(size.lower())
        if price is None or tier != LOW_PRIORITY:
            return price
        return price * (self.low_priority_factor or 1)
