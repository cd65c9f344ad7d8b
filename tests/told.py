"""Messages to try channels with."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from tuneops.curves import Curve
from tuneops.message import SEVERITIES, Message

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CURVE = Curve(name="loss", points=((0, 2.0), (1, 1.5), (2, 1.25)))
NASTY = "<script>alert(1)</script> *bold* _it_ <!channel> <@U1> [x](http://e.vil) &amp; {{7*7}}"

LIVE = Message(
    key="bot:3:live",
    event="live",
    phase="Live",
    title="bot: release 3 is live",
    text="It took 2 h 10 min.\nThe model answered 20 of 20 questions.",
    at=AT,
    commit="c0ffee0",
    links={"page": "https://ops.example/projects/bot/releases/3", "job": "https://ml.azure.com/r"},
    project="bot",
    release=3,
    model="Phi-3-mini-4k-instruct -> bot:17",
    why="c0ffee0 More questions, by ada",
    figure="eval_loss 1.412 (live 1.530, -7.7 %)",
    following="The deployment before goes in an hour.",
    curves=(CURVE,),
)
FAILED = LIVE.replace(
    key="bot:3:failed", event="failed", severity="error", title="bot: release 3 failed"
)
HOSTILE = FAILED.replace(
    title=f"bot: {NASTY}\r\nBcc: all@example.com",
    text=f"{NASTY}\n\n\x00\u202e{NASTY}",
    model=NASTY,
    why=f"{NASTY}\nTo: x",
    figure=NASTY,
    following=NASTY,
    links={
        "job": 'https://ml.azure.com/"><script>',
        "x": "javascript:alert(1)",
        NASTY: "http://a/",
    },
)

_texts = st.text(max_size=60) | st.sampled_from(
    [NASTY, "", "\n", "x" * 5_000, "\U0001f525" * 4_000, "a\r\nSubject: b", "\\" * 4_000]
)
messages = st.builds(
    Message,
    key=st.just("k"),
    event=st.sampled_from(["live", "failed", "summary"]),
    title=_texts,
    text=_texts,
    at=st.just(AT),
    links=st.dictionaries(_texts, st.sampled_from(["https://a.example/b?c=d", "ftp://x", NASTY])),
    severity=st.sampled_from(SEVERITIES),
    project=st.sampled_from(["", "bot", "prod.bot"]),
    release=st.none() | st.integers(1, 9),
    model=_texts,
    why=_texts,
    figure=_texts,
    following=_texts,
)
"""Whatever may come from commits, logs and people."""
