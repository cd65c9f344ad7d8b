"""Sending one message to people: its span, and what came of it as a count."""

from collections.abc import Iterator
from contextlib import contextmanager

from tuneops.message import Message
from tuneops.notify.channel import Channel, ChannelBusyError, ChannelError
from tuneops.telemetry import fields, metrics, tracing


@contextmanager
def delivering(message: Message, channel: Channel) -> Iterator[None]:
    """Let what is done be the delivery of this message."""
    named = {
        fields.PROJECT: message.project,
        fields.RELEASE: str(message.release or ""),
        fields.COMMIT: message.commit,
    }
    result = "failed"
    with fields.bound(named), tracing.spanned("deliver", {"tuneops.channel": channel.name}):
        try:
            yield
            result = "sent"
        except ChannelBusyError:
            result = "busy"
            raise
        except ChannelError as error:
            result = "refused" if error.permanent else "failed"
            raise
        finally:
            metrics.DELIVERIES.add(1, {"channel": channel.name, "result": result})
