"""What the SDK needs of an answer, read from the SDK itself."""

import ast
import importlib
import inspect
import textwrap
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from azureml_server import NodeClient, pipeline_body, workspace_path

from localcloud.connection import Connection


def finished_job(azureml: Connection, rest: httpx2.Client) -> str:
    name = f"job-{uuid.uuid4().hex[:8]}"
    path = f"{workspace_path(azureml)}/jobs/{name}"
    assert rest.put(path, json=pipeline_body(azureml)).status_code == 201
    node = NodeClient(azureml, uuid.uuid4().hex)
    node.complete(take(node, name))
    return name


def take(node: NodeClient, name: str) -> dict[str, Any]:
    """The job's work order, once all that waited before it are cancelled."""
    while (job := node.next_job())["name"] != name:
        node.put(f"{job['name']}/status", status="Canceled")
    return job


def attributes_read(reader: Callable[..., Any]) -> set[str]:
    """The names of all attributes that a function's source mentions."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(reader))))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def deserialized(model: type, raw: object, *, many: bool = False) -> Any:
    """A raw answer as one of the SDK's REST models, read as the model's own client does."""
    client = model.__module__.partition(".models")[0]
    base = importlib.import_module(f"{client}._utils.model_base")
    return base._deserialize(list[model] if many else model, raw)  # type: ignore[valid-type]


def lacks(
    model: type, readers: tuple[Callable[..., Any], ...], raw: object, *, many: bool = False
) -> list[str]:
    """What an answer, or one of many, lacks for those who read it."""
    read = set().union(*(attributes_read(reader) for reader in readers))
    assert len(read) > 1
    return sorted(set(absent(deserialized(model, raw, many=many), read)))


def absent(found: Any, read: set[str], place: str = "") -> list[str]:
    """What a deserialised answer lacks, as paths of the wire's names."""
    if hasattr(found, "_attr_to_rest_field"):
        annotations: dict[str, object] = {}
        for base in reversed(type(found).__mro__):
            annotations |= getattr(base, "__annotations__", {})
        lacking = []
        for name, field in found._attr_to_rest_field.items():
            key = field._rest_name
            required = not any(word in str(annotations.get(name)) for word in ("Optional", "None"))
            if key not in found:
                if required or name in read:
                    lacking.append(f"{place}{key}")
            elif required and found[key] is None:
                lacking.append(f"{place}{key} (is null)")
            else:
                lacking += absent(getattr(found, name), read, f"{place}{key}.")
        return lacking
    if isinstance(found, Mapping):
        return [
            lack for key, value in found.items() for lack in absent(value, read, f"{place}{key}.")
        ]
    if isinstance(found, list):
        return [lack for value in found for lack in absent(value, read, place)]
    return []
