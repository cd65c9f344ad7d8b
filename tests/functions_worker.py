"""Runs a function app in the code of Microsoft's own Python worker.

``python functions_worker.py APP_DIR`` reads a JSON array of invocations from standard input and
prints what the worker answered. Its registry is global, so it takes a process per app.

The worker speaks to its host with protobuf messages over gRPC, and takes their classes from
whoever starts it. Here they are plain objects with the same fields.
"""

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as worker
from azure.functions.decorators.core import BindingDirection, DataType


class Message:
    """A protobuf message: fields by keyword, and which of a group is set."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802
        """The field that is set; of a parameter binding it is always the data."""
        return "data" if group == "rpc_data" else next(iter(self.__dict__), None)


class StatusResult(Message):
    Success, Failure = "Success", "Failure"


class BindingInfo(Message):
    inout, out, undefined = (
        BindingDirection.INOUT.value,
        BindingDirection.OUT.value,
        DataType.UNDEFINED.value,
    )


PROTOS = SimpleNamespace(
    **dict.fromkeys(
        (
            "FunctionMetadataResponse",
            "InvocationResponse",
            "ParameterBinding",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcHttp",
            "TypedData",
            "WorkerInitResponse",
            "WorkerMetadata",
        ),
        Message,
    ),
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
)


def request(**fields: Any) -> Message:
    """What the worker's functions take."""
    return Message(request=Message(**fields), properties={"host": "127.0.0.1", "protos": PROTOS})


def typed(data: dict[str, Any]) -> Message:
    """Trigger data; that of an HTTP trigger has defaults."""
    if "http" not in data:
        return Message(**data)
    http = {"method": "GET", "url": "http://localhost", "headers": {}, "query": {}, "params": {}}
    body = data["http"].pop("body", "").encode()
    return Message(http=Message(**http | data["http"], body=Message(bytes=body)))


async def invoke(function: Message, invocation: dict[str, Any]) -> dict[str, Any]:
    """Invoke a function and describe the worker's response."""
    trigger = next(name for name, b in function.bindings.items() if b.type.endswith("Trigger"))
    answer = await worker.invocation_request(
        request(
            invocation_request=Message(
                invocation_id="1",
                function_id=function.function_id,
                input_data=[Message(name=trigger, data=typed(invocation["data"]))],
                trigger_metadata={
                    name: Message(string=value)
                    for name, value in invocation.get("metadata", {}).items()
                },
                trace_context=Message(trace_parent="", trace_state="", attributes={}),
                retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
            )
        )
    )
    result: dict[str, Any] = {"status": answer.result.status}
    if answer.result.status == StatusResult.Failure:
        result["error"] = answer.result.exception.message
    elif returned := answer.return_value:
        result["code"] = int(returned.http.status_code)
        result["body"] = returned.http.body.bytes.decode()
    return result


async def main(app_dir: str, invocations: list[dict[str, Any]]) -> dict[str, Any]:
    """Index the app and invoke its functions in order."""
    worker.start_threadpool_executor()
    sys.path.insert(0, app_dir)
    init = Message(function_app_directory=app_dir, capabilities={})
    started = await worker.worker_init_request(request(worker_init_request=init))
    if started.result.status == StatusResult.Failure:
        return {"error": started.result.exception.message}
    metadata = await worker.functions_metadata_request(request())
    functions = {function.name: function for function in metadata.function_metadata_results}
    bindings = {
        name: [json.loads(raw) for raw in function.raw_bindings]
        for name, function in functions.items()
    }
    results = [await invoke(functions[each["function"]], each) for each in invocations]
    worker.stop_threadpool_executor()
    return {"functions": bindings, "results": results}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], json.load(sys.stdin)))))
