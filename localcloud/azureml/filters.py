"""Filters of lists, as their query parameters ask for them."""

from collections.abc import Callable, Mapping

from starlette.requests import Request

from localcloud.azureml.arm import Json, user_error

VIEWS = ("ActiveOnly", "ArchivedOnly", "All")

Test = Callable[[Json], bool]


def listed(request: Request, archived: Test) -> Test:
    """A test for `listViewType`: active items only (the default), archived ones, or all.

    Raises:
        ArmError: 400 for another view.
    """
    view = request.query_params.get("listViewType", VIEWS[0])
    if view not in VIEWS:
        message = f"'{view}' is not one of {', '.join(VIEWS)}."
        raise user_error(message, target="listViewType")
    if view == "All":
        return lambda item: True
    return lambda item: archived(item) == (view == "ArchivedOnly")


def having(request: Request, parameter: str, pairs: Callable[[Json], Mapping[str, str]]) -> Test:
    """A test for names that an item must all have, each with a value or without: `a,b=c`."""
    wanted = [part.strip() for part in request.query_params.get(parameter, "").split(",")]
    terms = [part.partition("=") for part in wanted if part]

    def test(item: Json) -> bool:
        found = pairs(item)
        return all(
            name in found and (not equals or found[name] == value) for name, equals, value in terms
        )

    return test


def being(request: Request, parameter: str, value: Callable[[Json], object]) -> Test:
    """A test for one value, in any case; everything passes without the parameter."""
    wanted = request.query_params.get(parameter)
    if not wanted:
        return lambda item: True
    return lambda item: str(value(item) or "").lower() == wanted.lower()


def every(*tests: Test) -> Test:
    """A test that an item passes when it passes all of some tests."""
    return lambda item: all(test(item) for test in tests)


def own_tags(item: Json) -> Mapping[str, str]:
    """The tags of a job or an asset."""
    found: Mapping[str, str] = item["properties"]["tags"]
    return found


def own_properties(item: Json) -> Mapping[str, str]:
    """The properties that a caller gave to a job or an asset."""
    found: Mapping[str, str] = item["properties"]["properties"]
    return found


def is_archived(item: Json) -> bool:
    """Whether a job or an asset is archived."""
    return bool(item["properties"]["isArchived"])
