"""Steps of a pipeline that run an entry script on mini batches of files, side by side."""

import re
import shlex
from argparse import ArgumentError, ArgumentParser
from pathlib import PurePosixPath

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import choice, optional_text, section, text
from localcloud.azureml.job_ports import check_references
from localcloud.azureml.step_settings import number

SETTINGS = (
    *("task", "input_data", "mini_batch_size", "retry_settings", "logging_level"),
    *("max_concurrency_per_instance", "error_threshold", "mini_batch_error_threshold"),
)

DEFAULT_RETRIES, DEFAULT_TIMEOUT, MAX_TIMEOUT = 2, 60, 259_200
IGNORE_ALL = -1
LEVELS = ("INFO", "WARNING", "DEBUG")

_INPUT = re.compile(r"\s*\$\{\{\s*inputs\.(\w+)\s*\}\}\s*")
_FILE = re.compile(r"\s*\$\{\{\s*outputs\.(?P<output>\w+)\s*\}\}(?P<path>/[^$]+)?\s*")


def read_parallel(step: str, settings: Json, inputs: Json, outputs: Json) -> Json:
    """What the compute node needs of a parallel step besides what it needs of every step.

    Of the arguments that Azure itself reads from `program_arguments`, `--error_threshold` and
    `--allowed_failed_percent` count; those about its logs and its own time limits do nothing.

    Args:
        inputs: the types of the inputs that the step is given.
        outputs: the component's outputs.

    Raises:
        ArmError: 400 when something about it is wrong.
    """
    task, retries = section(settings, "task"), section(settings, "retry_settings")
    choice(task, "type", ["run_function"])
    choice(settings, "logging_level", LEVELS, LEVELS[0])
    target = f"jobs.{step}.program_arguments"
    arguments = _words(optional_text(task, "program_arguments") or "", target)
    for word in arguments:
        check_references(word, inputs, outputs, target)
    threshold = number(settings, "error_threshold", IGNORE_ALL, -1)
    own = _own_arguments(arguments, target)
    return {
        "parallel": {
            "entry_script": _entry_script(task),
            "arguments": arguments,
            "input": _input_data(step, settings, inputs),
            "append_row_to": _append_row_to(step, task, outputs),
            "size": number(settings, "mini_batch_size", 1, 1),
            "instances": number(settings["resources"], "instance_count", 1, 1),
            "per_instance": number(settings, "max_concurrency_per_instance", 0, 1) or None,
            "max_retries": number(retries, "max_retries", DEFAULT_RETRIES, 0),
            "timeout": number(retries, "timeout", DEFAULT_TIMEOUT, 1, MAX_TIMEOUT),
            "error_threshold": number(own, "error_threshold", threshold, -1),
            "mini_batch_error_threshold": number(
                settings, "mini_batch_error_threshold", IGNORE_ALL, -1
            ),
            "allowed_failed_percent": number(own, "allowed_failed_percent", 100, 0, 100),
        }
    }


def _words(line: str, target: str) -> list[str]:
    """The arguments of a line; references stay whole."""
    try:
        return shlex.split(re.sub(r"\$\{\{\s*(.*?)\s*\}\}", r"${{\1}}", line))
    except ValueError as error:
        raise user_error(f"The program arguments can't be read: {error}.", target=target) from error


def _own_arguments(words: list[str], target: str) -> Json:
    """Those of the arguments that are meant for the step as well as its script."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("error_threshold", "allowed_failed_percent"):
        parser.add_argument(f"--{name}")
    try:
        return vars(parser.parse_known_args(words)[0])
    except ArgumentError as error:
        raise user_error(f"The program arguments can't be read: {error}.", target=target) from error


def _entry_script(task: Json) -> str:
    script = text(task, "entry_script")
    path = PurePosixPath(script)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".py":
        message = f"The entry script '{script}' is no Python file in the code folder."
        raise user_error(message, target="entry_script")
    return script


def _input_data(step: str, settings: Json, inputs: Json) -> str:
    """The input whose files are cut into mini batches."""
    reference = text(settings, "input_data")
    match = _INPUT.fullmatch(reference)
    name = match[1] if match else None
    if name not in inputs or inputs[name]["type"] != "uri_folder":
        message = (
            f"Step '{step}': input_data is '{reference}', but must be one of its inputs of "
            "type uri_folder; the local cloud cuts no tables into mini batches."
        )
        raise user_error(message, target=f"jobs.{step}.input_data")
    return str(name)


def _append_row_to(step: str, task: Json, outputs: Json) -> str | None:
    """The file to append results to."""
    reference = task.get("append_row_to")
    if reference is None:
        return None
    match = _FILE.fullmatch(str(reference))
    output = outputs.get(match["output"]) if match else None
    if match is None or output is None or not (match["path"] or output["type"] == "uri_file"):
        message = (
            f"Step '{step}': append_row_to is '{reference}', but must be an output of type "
            "uri_file, or a file in one: ${{outputs.NAME}}/FILE."
        )
        raise user_error(message, target=f"jobs.{step}.task.append_row_to")
    return str(reference).strip()
