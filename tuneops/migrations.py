"""What makes of a document's content that of its next schema version. Pure.

A migration must take whatever an earlier version may have stored, and what is no such document as
well: that is refused when all migrations are done.
"""

from collections.abc import Callable
from typing import Any

Content = dict[str, Any]
Migration = Callable[[Content], Content]

EACH = "*"
"""In a path: all items of a list."""


def at(*path: str, change: Migration) -> Migration:
    """A migration that changes the mappings at `path`, where there are any."""
    return lambda content: _changed(content, path, change)


def all_of(*migrations: Migration) -> Migration:
    """A migration that is several, in their order."""

    def migrate(content: Content) -> Content:
        for each in migrations:
            content = each(content)
        return content

    return migrate


def keep_for_minutes(rollout: Content) -> Content:
    """`keep_previous_minutes` is `keep_previous_for_minutes` now; 0 was its default, and is not."""
    minutes = rollout.get("keep_previous_minutes")
    rest = {name: value for name, value in rollout.items() if name != "keep_previous_minutes"}
    return {"keep_previous_for_minutes": minutes, **rest} if minutes else rest


def _changed(content: Any, path: tuple[str, ...], change: Migration) -> Any:
    if not path:
        return change(content) if isinstance(content, dict) else content
    first, rest = path[0], path[1:]
    if first == EACH:
        items = content if isinstance(content, list) else ()
        return [_changed(item, rest, change) for item in items]
    if not isinstance(content, dict) or first not in content:
        return content
    return {**content, first: _changed(content[first], rest, change)}
