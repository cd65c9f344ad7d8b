"""What was foretold of a release, and what came: the documents alone."""

from tuneops.document import Document


class Span(Document):
    """A number that is not known for sure; `low` <= `likely` <= `high`."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> "Span":
        """Each of the three, multiplied."""
        return Span(low=self.low * factor, likely=self.likely * factor, high=self.high * factor)

    def plus(self, other: "Span") -> "Span":
        """Each of the three, added to the other's."""
        return Span(
            low=self.low + other.low,
            likely=self.likely + other.likely,
            high=self.high + other.high,
        )


NOTHING = Span(low=0, likely=0, high=0)


class Kind(Document):
    """What trainings must share for one to foretell another, besides the number of GPUs.

    `base_model` is without its version, `size` in lower case.
    """

    base_model: str
    size: str
    lora: bool
    precision: str


class Measured(Document):
    """A training that was done, for forecasts of the next ones.

    `tokens` are those of all epochs. `seconds` are those of the whole fine-tuning step,
    `loop_seconds` those of its training loop (0: not known), `around_seconds` what the release took
    besides the step until it was live (0: not known).
    """

    job: str
    kind: Kind
    gpus: int
    tokens: int
    seconds: float
    loop_seconds: float = 0
    around_seconds: float = 0


class Forecast(Document):
    """What a release is likely to take.

    `rows` are the training rows, `tokens` those that all epochs or steps go through. `seconds` are
    those of the fine-tuning step, `live_seconds` those until the release is live. `price` is that
    of a node's hour in `currency` and `cost` the fine-tuning step's. `basis` says what the numbers
    rest on; `unknown` why there are none. `trains` is false when a job for just this has been
    there already.
    """

    rows: int = 0
    tokens: int = 0
    steps: int | None = None
    seconds: Span | None = None
    gpu_hours: Span | None = None
    price: float | None = None
    cost: Span | None = None
    currency: str = ""
    live_seconds: Span | None = None
    basis: str = ""
    unknown: str = ""
    trains: bool = True


class Actuals(Document):
    """What a release took; None is what is not known.

    Fields are those of the forecast; `phases` are seconds by phase. `note` says why no training is
    counted. `measured` is the training that later forecasts go by, be it another release's.
    """

    rows: int = 0
    tokens: int | None = None
    steps: int | None = None
    seconds: float | None = None
    gpu_hours: float | None = None
    price: float | None = None
    cost: float | None = None
    currency: str = ""
    live_seconds: float | None = None
    phases: dict[str, float] = {}
    note: str = ""
    measured: Measured | None = None


class JobTimes(Document):
    """When a job trained: the release whose tag it has, and seconds; None is not known.

    `seconds` are those of the fine-tuning step, `loop_seconds` those of its training loop.
    """

    release: str = ""
    seconds: float | None = None
    loop_seconds: float | None = None
