"""Endpoints for reactions to comments on pull requests."""

from typing import Any, Literal

from pydantic import BaseModel

from localcloud.github.hub import Hub
from localcloud.github.records import IssueComment, Reaction
from localcloud.github.rest import Answer, Call, not_found
from localcloud.github.shapes import timestamp


class NewReaction(BaseModel):
    """POST .../issues/comments/{id}/reactions"""

    content: Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]


def create_reaction(hub: Hub, call: Call) -> Answer:
    """POST .../issues/comments/{id}/reactions: 200 when the caller has it already"""
    content, key = call.parse(NewReaction).content, _key(hub, call)
    same = [
        each
        for each in hub.store.listed(Reaction, key)
        if (each.creator, each.content) == (call.caller, content)
    ]
    if same:
        return Answer(_shape(hub, same[0]))
    made = hub.store.add(Reaction(key=key, creator=call.caller, content=content))
    return Answer(_shape(hub, made), 201)


def list_reactions(hub: Hub, call: Call) -> Answer:
    """GET .../issues/comments/{id}/reactions"""
    return Answer([_shape(hub, each) for each in hub.store.listed(Reaction, _key(hub, call))])


def _key(hub: Hub, call: Call) -> str:
    comment = hub.store.get(IssueComment, call.number("id"))
    if comment is None:
        raise not_found()
    return str(comment.id)


def _shape(hub: Hub, reaction: Reaction) -> dict[str, Any]:
    return {
        "id": reaction.id,
        "node_id": f"REA_{reaction.id}",
        "user": hub.shapes.user(reaction.creator or hub.shapes.owner),
        "content": reaction.content,
        "created_at": timestamp(reaction.created_at),
    }
