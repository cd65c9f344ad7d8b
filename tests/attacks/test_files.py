"""Bombs in files that people write: each is refused at once, and takes little memory."""

import time

import pytest

from tests.config_text import text
from tuneops.config_file import MAX_BYTES, InvalidConfigError, parse_config
from tuneops.policy_file import parse_policy

FILE = "finetune/bot.yaml"
LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS: dict[str, str | bytes] = {
    "a-billion-laughs": LAUGHS,
    "an-alias-of-itself": "a: &a [*a]\n",
    "a-merge": text("bot", "<<: {name: cat}\n"),
    "nested-lists": "[" * 100_000,
    "nested-mappings": "{a: " * 50_000,
    "nested-blocks": "".join(f"{' ' * n}a:\n" for n in range(400)),
    "nested-items": "- " * 20_000,
    "a-key-twice": text("bot", "name: cat\n"),
    "a-key-twice-within": text("bot", "endpoint: {name: aaaa, name: bbbb}\n"),
    "a-key-that-is-a-list": text("bot", "? [a]\n: 1\n"),
    "a-huge-number": text("bot", f"smoke_test: {{samples: {'9' * 100_000}}}\n"),
    "a-huge-number-of-base-60": text("bot", f"smoke_test: {{samples: 1{':59' * 60_000}}}\n"),
    "a-huge-hexadecimal": text("bot", f"smoke_test: {{samples: 0x{'f' * 9_999}}}\n"),
    "a-huge-key": text("bot", f"0x{'f' * 9_999}: 1\n"),
    "a-huge-float": text("bot", "smoke_test: {temperature: 1e9999}\n"),
    "no-number": text("bot", "smoke_test: {temperature: .nan}\n"),
    "infinite": text("bot", "data: {path: a, sample_percent: .inf}\n"),
    "a-flag-for-a-number": text("bot", "smoke_test: {samples: yes}\n"),
    "oversized": "#" * (MAX_BYTES + 1),
    "a-tag-that-runs": text("bot", "x: !!python/object/apply:os.system [id]\n"),
    "a-tag-that-imports": text("bot", "x: !!python/name:os.system\n"),
    "several-documents": text("bot") + "---\n" + text("cat"),
    "no-text": b"\xff\xfe\x00",
    "nul": text("bot", "x: 'a\x00b'\n"),
    "another-encoding": text("bot").encode("utf-16"),
    "a-date-that-is-none": text("bot", "suspend: 2026-99-99\n"),
    "many-keys": "".join(f"k{n}: 1\n" for n in range(1_000)),
    "endless-regex": text(
        "bot", "smoke_test: {expect: {matches: '((a{1,1000}){1,1000}){1,1000}'}}\n"
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_with_its_place(bomb: str) -> None:
    begun = time.process_time()
    for parse in (parse_config, parse_policy):
        with pytest.raises(InvalidConfigError) as caught:
            parse(BOMBS[bomb], FILE)
        assert all(each.line >= 1 for each in caught.value.errors)
        assert str(caught.value.errors[0]).startswith(f"{FILE}:")
        assert all(len(each.message) < 2000 for each in caught.value.errors)
    assert time.process_time() - begun < 4
