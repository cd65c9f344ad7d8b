"""The documents are true: commands exist, examples are valid, links lead somewhere."""

import ast
import gzip
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests import typed
from tests.documents import DOCUMENTS, ROOT, Block, blocks, blocks_of, broken_links, codes
from tests.served import functions
from tuneops.cli import app
from tuneops.config import ProjectConfig
from tuneops.config_file import parse_config
from tuneops.doctor.checks import CHECKS
from tuneops.policy import Policy
from tuneops.policy_file import parse_policy
from tuneops.settings import Settings

LEAST: dict[str, Any] = {
    "name": "bot",
    "model": {"name": "Phi-3-mini-4k-instruct"},
    "data": {"path": "bot"},
}
CONFIG, POLICY = set(ProjectConfig.model_fields), set(Policy.model_fields)
UNREAD = frozenset({"", "text", "mermaid", "kusto", "bicep", "html", "http", "diff", "ini"})
"""Blocks in these languages are read by people, or checked elsewhere (tests/test_operations.py)."""
OFFLINE = (
    "tuneops validate",
    "tuneops schema",
    "tuneops init",
    "tuneops data check",
    "tuneops data prepare",
)
"""Commands that ask nobody: they are run as they stand."""
TOP = {path.name for path in ROOT.glob("[!.]*") if path.is_dir()} - {"test-artifacts"}
TOP |= {".ci", ".github"}
SUFFIXES = (".bicep", ".json", ".jsonl", ".md", ".py", ".sh", ".yaml", ".yml")
EARLIER = "upgrade.md"
"""Tells of keys as earlier versions had them."""
SOURCES = (".bicep", ".py", ".json", ".yaml", ".yml", ".sh")
SETTING = re.compile(r"\bTUNEOPS_[A-Z0-9_]*[A-Z0-9]\b")


def wrong(check: Callable[[Any], None], found: list[tuple[Any, Any]]) -> list[str]:
    """What a check says of each; empty if nothing."""
    said = []
    for where, what in found:
        try:
            check(what)
        except (typed.WrongError, ValueError, SyntaxError, yaml.YAMLError) as error:
            said.append(f"{where}: {error}")
    return said


def in_language(*languages: str) -> list[tuple[Block, str]]:
    return [(block, block.text) for block in blocks() if block.language in languages]


# Commands


def test_our_commands_take_what_is_typed() -> None:
    found = typed.of("tuneops")
    assert len(found) > 50
    assert wrong(typed.check, found) == []


def test_our_commands_have_the_options_that_sentences_name() -> None:
    mentions = [(code, code.text) for code in codes() if re.match(r"tuneops -?[\w-]", code.text)]
    assert len(mentions) > 50
    assert wrong(typed.check_mention, mentions) == []


def test_make_knows_its_targets() -> None:
    mentions = [(c, tuple(c.text.split()[1:])) for c in codes() if c.text.startswith("make ")]
    assert wrong(typed.check_make, [*typed.of("make"), *mentions]) == []


def test_modules_and_scripts_are_there() -> None:
    found = [each for program in typed.PYTHONS for each in typed.of(program)]
    mentions = [(c, tuple(c.text.split()[1:])) for c in codes() if c.text.startswith("python -m ")]
    assert wrong(typed.check_python, [*found, *mentions]) == []


def test_what_is_typed_is_shell_and_every_program_is_known() -> None:
    ours = {"tuneops", "make", *typed.PYTHONS}
    known = ours | typed.OTHERS.keys() | typed.HARMLESS
    strange = {f"{block}: {typed.named(w)}" for block, w in typed.typed()}
    assert {each for each in strange if each.rpartition(": ")[2] not in known} == set()
    for block in blocks():
        if text := typed.script(block):
            plain = re.sub(r"(?<=\s)\[(-[^\]]*)\]", r"\1", text)
            done = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True)
            assert done.returncode == 0, f"{block}: {done.stderr}"


def lay_out(folder: Path, words: tuple[str, ...]) -> None:
    """What a command of the documents finds: configs, and data where it names some.

    The tutorial's first config has a slip.
    """
    shutil.copytree(ROOT / "examples", folder / "examples")
    if words[0] != "init":
        shutil.copytree(ROOT / "examples" / "finetune", folder / "finetune")
    slip = folder / "models" / "finetune" / "support-bot.yaml"
    slip.parent.mkdir(parents=True)
    config = (ROOT / "examples" / "finetune" / "support-bot.yaml").read_text()
    slip.write_text(config.replace("learning_rate", "learning_rat"))
    rows = (ROOT / "examples" / "data" / "support-bot.jsonl").read_bytes()
    for word in words:
        if word.endswith((".jsonl", ".jsonl.gz")) and not (folder / word).exists():
            (folder / word).write_bytes(gzip.compress(rows) if word.endswith(".gz") else rows)


def test_commands_that_ask_nobody_do_what_the_documents_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = set()
    for block, words in typed.of("tuneops"):
        name = typed.command_of(words)[0] if words[0] not in typed.GLOBAL else ""
        if words in done or name not in OFFLINE:
            continue
        done.add(words)
        folder = tmp_path / str(len(done))
        lay_out(folder, words)
        monkeypatch.chdir(folder)
        exits = re.search(r"exits: (\d+)", block.order)
        result = CliRunner().invoke(app, list(words), input="\n" * 20)
        assert result.exit_code == int(exits[1] if exits else 0), f"{block}: {result.output}"
    assert {typed.command_of(words)[0] for words in done} == set(OFFLINE)


# Examples


def as_config(text: str) -> None:
    """See that a YAML example is what it shows: a config, a policy, a part of one, or neither."""
    shown = yaml.safe_load(text)
    keys = {key for key in shown if isinstance(key, str)} if isinstance(shown, dict) else set()
    if not (keys - {"name"}) & (CONFIG | POLICY):
        return
    is_policy = "tuneops-policy.yaml" in text.partition("\n")[0] or len(keys & POLICY) > len(
        keys & CONFIG
    )
    if is_policy:
        parse_policy(text, "policy")
    else:
        parse_config(yaml.safe_dump({**LEAST, **shown}, sort_keys=False), "config")


def test_yaml_examples_are_valid() -> None:
    found = in_language("yaml", "yml")
    assert len(found) > 10
    assert wrong(as_config, found) == []


@pytest.mark.parametrize(
    "text",
    [
        "training: {parameters: {learning_rat: 1}}",
        "rollout: {steps: 7}",
        "# tuneops-policy.yaml\nmax_nodes: many\n",
        "a: [",
    ],
)
def test_a_wrong_example_is_found(text: str) -> None:
    assert wrong(as_config, [("here", text)])


def test_json_toml_and_python_examples_can_be_read() -> None:
    assert wrong(json.loads, in_language("json")) == []
    assert wrong(tomllib.loads, in_language("toml")) == []
    assert wrong(ast.parse, in_language("python")) == []


def test_every_block_is_checked() -> None:
    checked = {*typed.SHELL, "yaml", "yml", "json", "toml", "python"}
    known = checked | UNREAD
    assert [f"{block}: {block.language}" for block in blocks() if block.language not in known] == []


# Links and names


def test_links_inside_the_repository_lead_somewhere() -> None:
    found = [said for file in DOCUMENTS for said in broken_links(file, file.read_text())]
    assert found == []


def test_a_broken_link_is_found() -> None:
    text = "[a](nowhere.md) [b](README.md#no-such-place) [c](#neither) ![d](no.png) [e](docs)\n"
    assert len(list(broken_links(ROOT / "CONTRIBUTING.md", text))) == 4


def test_files_that_sentences_name_are_there() -> None:
    gone = []
    every = [str(path.relative_to(ROOT)) for path in ROOT.glob("[!.]*/**/*.py")]
    for code in codes():
        for name in re.findall(r"(?<![\w/.*-])(?:[\w.*-]+/)*[\w*-]+\.py\b", code.text):
            if not list(ROOT.glob(name)) and not any(f"/{e}".endswith(f"/{name}") for e in every):
                gone.append(str(code))
        path = code.text.rstrip("/")
        ours = path.partition("/")[0] in TOP and "/" in code.text
        is_file = code.text.endswith(("/", *SUFFIXES)) and re.fullmatch(r"[\w.*/-]+", code.text)
        if ours and is_file and not list(ROOT.glob(path)):
            gone.append(str(code))
    assert gone == []


def test_the_map_of_the_code_names_every_module() -> None:
    """Packages by their folder; what is in them only for training data, which has a table."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    own = ROOT / "tuneops"
    modules = [p for folder in (own, own / "data") for p in folder.glob("[!_]*.py")]
    wanted = {p.name for p in modules} | {f"{p.parent.name}/" for p in own.glob("*/__init__.py")}
    assert {name for name in wanted if not re.search(rf"[`/]{re.escape(name)}`", text)} == set()


def test_settings_that_documents_name_are_read_somewhere() -> None:
    sources = [ROOT / "Makefile", *(p for p in ROOT.glob("*.*") if p.suffix in SOURCES)]
    for folder in TOP - {"docs", "examples"}:
        sources += [p for p in (ROOT / folder).rglob("*") if p.suffix in SOURCES]
    known = {f"TUNEOPS_{name.upper()}" for name in Settings.model_fields}
    known |= {name for path in sources for name in SETTING.findall(path.read_text())}
    unknown = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in DOCUMENTS
        for name in SETTING.findall(re.sub(r"\bvars\.\w+", "", file.read_text()))
        if not {name, name.removesuffix("_FILE")} & known and not name.startswith("TUNEOPS_CHANNEL")
    }
    assert unknown == set()


def test_addresses_that_sentences_name_are_answered() -> None:
    routes = {f"/{route}" for each in functions() if (route := route_of(each.get_trigger()))}
    patterns = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)) for route in routes]
    asked = {
        (str(code), path)
        for code in codes()
        for path in re.findall(r"(?:^|(?:GET|POST) )(/api(?:/[\w{}-]+)+)", code.text)
    }
    assert len(asked) > 5
    gone = [code for code, path in asked if not any(re.fullmatch(p, path) for p in patterns)]
    assert gone == []


def route_of(trigger: Any) -> str:
    """The address of a function that answers to HTTP, empty for others."""
    return str(trigger.get_dict_repr().get("route") or "")


def test_every_document_is_in_the_list_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = set(re.findall(r"\]\((docs/[\w/-]+\.md)", readme))
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")} <= listed


def test_blocks_are_found_with_their_language_line_and_order() -> None:
    lines = "tuneops status \\\n  bot | cat > f # x\nls 'a\nb'"
    text = f"a\n\n<!-- exits: 1 -->\n```sh\n{lines}\n```\n\n    make x\n"
    first, second = blocks_of(text)
    assert (first.language, first.line, first.order) == ("sh", 4, "<!-- exits: 1 -->")
    assert list(typed.simple(typed.script(first))) == [
        ["tuneops", "status", "bot"],
        ["cat"],
        ["ls", "a\nb"],
    ]
    assert typed.script(second) == "make x\n"
    with pytest.raises(typed.WrongError):
        typed.check(("rollback", "bot", "--too", "3"))
    with pytest.raises(typed.WrongError):
        typed.check_mention("tuneops rollback --too 3")


def test_tests_that_documents_name_are_there() -> None:
    named = {(str(c), *c.text.split("::")) for c in codes() if re.match(r"tests/.*::test_", c.text)}
    assert len(named) > 100
    gone = [
        where
        for where, file, test in sorted(named)
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert gone == []


def alternatives(part: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a part of a schema may be, references and lists opened."""
    if "$ref" in part:
        yield from alternatives(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
        return
    yield part
    for inner in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield from alternatives(inner, schema)
    if isinstance(part.get("items"), dict):
        yield from alternatives(part["items"], schema)


def has_key(schema: dict[str, Any], key: str) -> bool:
    """Whether a file of the schema may have the key, which has dots between its levels."""
    places = [schema]
    for name in key.split("."):
        parts = (part for place in places for part in alternatives(place, schema))
        places = [part["properties"][name] for part in parts if name in part.get("properties", ())]
    return bool(places)


def test_keys_of_configs_that_sentences_name_are_there() -> None:
    texts = (ROOT / "schemas" / f"{name}.schema.json" for name in ("project", "policy"))
    schemas = [json.loads(text.read_text()) for text in texts]
    mentions = [
        code
        for code in codes()
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", code.text)
        and any(has_key(schema, code.text.partition(".")[0]) for schema in schemas)
        and not code.text.endswith(SUFFIXES)
        and code.text not in CHECKS
        and code.file.name != EARLIER
    ]
    assert len(mentions) > 30
    unknown = [c for c in mentions if not any(has_key(schema, c.text) for schema in schemas)]
    assert [str(code) for code in unknown] == []
