"""A message as programs get it, by the schema in schemas/message.schema.json. Pure."""

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tuneops.message import Message, Severity
from tuneops.names import environment_of
from tuneops.notify.channels import words


class PublishedMessage(BaseModel):
    """Something that TuneOps tells. Later versions may add fields and events."""

    model_config = ConfigDict(frozen=True)

    version: Annotated[Literal[1], Field(description="Goes up when a field changes its meaning")]
    id: Annotated[str, Field(description="The same again when it is delivered once more")]
    event: Annotated[str, Field(description="What kind it is, such as live or failed")]
    severity: Severity
    at: Annotated[datetime, Field(description="When it happened")]
    project: Annotated[str, Field(description="With its environment; empty if it is of none")]
    environment: Annotated[str, Field(description="Empty for the one without a name")]
    release: Annotated[int | None, Field(description="Its number, null if it is of none")]
    phase: Annotated[str, Field(description="The release's when it happened, or empty")]
    title: Annotated[str, Field(description="What happened, in one line")]
    text: Annotated[str, Field(description="The same in more words, on several lines")]
    model: Annotated[str, Field(description="What it is about, or empty")]
    why: Annotated[str, Field(description="Who or what led to it, or empty")]
    figure: Annotated[str, Field(description="The number that matters with its change, or empty")]
    following: Annotated[str, Field(description="What happens next, or empty")]
    commit: Annotated[str, Field(description="The commit that it is of, or empty")]
    links: Annotated[dict[str, str], Field(description="Addresses by what they lead to")]


def published(message: Message) -> PublishedMessage:
    """The message for programs."""
    return PublishedMessage(
        version=1,
        id=message.key,
        event=message.event,
        severity=message.severity,
        at=message.at,
        project=message.project,
        environment=environment_of(message.project),
        release=message.release,
        phase=message.phase,
        title=words.title(message),
        text=words.clean(message.text),
        model=words.one_line(message.model),
        why=words.one_line(message.why),
        figure=words.one_line(message.figure),
        following=words.one_line(message.following),
        commit=message.commit,
        links={name: url for name, url in message.links.items() if words.can_be_opened(url)},
    )


def json_schema() -> str:
    """The JSON Schema of a message, as indented JSON text."""
    schema = PublishedMessage.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "TuneOps message"
    return json.dumps(schema, indent=2) + "\n"
