"""The converters of azure-functions, which Microsoft's own worker uses as well."""

from typing import Any

import azure.functions as func


def converter(binding_type: str) -> Any:
    """The class that decodes a trigger's data, or encodes an output's, for the app."""
    return func.get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call]
