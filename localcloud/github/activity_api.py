"""The record of what moved the branches, and by whom."""

from typing import get_args
from urllib.parse import urlencode

from localcloud.github.hub import BRANCH_PREFIX, Hub
from localcloud.github.records import Activity, ActivityType
from localcloud.github.rest import MAX_PER_PAGE, PER_PAGE, Answer, Call, invalid

_FILTERS = ("ref", "actor", "activity_type", "direction")


def list_activity(hub: Hub, call: Call) -> Answer:
    """GET .../activity?ref=&actor=&activity_type=&direction=, in pages by ``after=CURSOR``

    Pages backwards (``before``) and ``time_period`` are not offered.
    """
    kind = call.query.get("activity_type")
    if kind is not None and kind not in get_args(ActivityType):
        raise invalid("Activity", "activity_type")
    ref, actor = call.query.get("ref"), call.query.get("actor")
    ref = ref if ref is None or ref.startswith("refs/") else f"{BRANCH_PREFIX}{ref}"
    found = [
        each
        for each in hub.store.listed(Activity, ref)
        if kind in (None, each.activity_type) and actor in (None, each.creator)
    ]
    if call.query.get("direction") != "asc":
        found.reverse()
    ids = [str(each.id) for each in found]
    cursor = call.query.get("after")
    start = ids.index(cursor) + 1 if cursor in ids else 0
    given = call.query.get("per_page", "")
    size = int(given) if given.isascii() and given.isdigit() and len(given) < 4 else PER_PAGE
    shown = found[start : start + min(MAX_PER_PAGE, max(1, size))]
    headers = {}
    if shown and shown[-1] is not found[-1]:
        kept = {name: call.query[name] for name in _FILTERS if name in call.query}
        query = urlencode({**kept, "per_page": size, "after": shown[-1].id})
        headers["link"] = f'<{hub.shapes.url}/activity?{query}>; rel="next"'
    return Answer([hub.shapes.activity(each) for each in shown], headers=headers)
