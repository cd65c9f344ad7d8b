"""When a delivery is tried again, and when it is given up."""

from dataclasses import dataclass

# https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-schedule
AZURE_PAUSES_SECONDS = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)

# Answers of an Azure resource, such as a function app, that no retry would change.
FINAL_STATUSES = frozenset({400, 403, 413})


@dataclass(frozen=True)
class RetryPolicy:
    """Azure's schedule, made quicker by ``factor`` (1.0 is Azure's own); the last pause repeats."""

    factor: float
    max_attempts: int
    time_to_live_seconds: float

    def pause_after(self, attempts: int) -> float:
        """Seconds between the failed attempt of this number (from 1) and the next."""
        return AZURE_PAUSES_SECONDS[min(attempts, len(AZURE_PAUSES_SECONDS)) - 1] * self.factor

    def reason_to_give_up(
        self, attempts: int, age_seconds: float, status: int | None = None
    ) -> str | None:
        """Why there is no next attempt, in the words of a dead letter; None when there is one.

        Args:
            attempts: failed attempts so far.
            age_seconds: since the event was published.
            status: HTTP status of the last attempt, None when there was no answer.
        """
        if status in FINAL_STATUSES:
            return "UndeliverableDueToClientError"
        if attempts >= self.max_attempts:
            return "MaxDeliveryAttemptsExceeded"
        if age_seconds >= self.time_to_live_seconds:
            return "TimeToLiveExceeded"
        return None
