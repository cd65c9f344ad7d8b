"""Why data can't be used."""


class DataError(Exception):
    """The data can't be trained on; the message says why and what to do."""


class DataChangedError(Exception):
    """The blob was replaced while it was read; the newer one counts."""


class DataUnavailableError(Exception):
    """The data can't be read now; it is worth trying again."""
