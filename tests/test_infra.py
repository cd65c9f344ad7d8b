"""infra/ holds together: Bicep with itself, with the code, with the local cloud, with azd."""

import importlib.util
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from handlers import dataset_uploaded, job_event
from infra.hooks.deployed import OUTPUTS
from infra.hooks.postdeploy import FUNCTIONS
from infra.hooks.preprovision import EXISTING, OF_PRIVATE_NETWORKS, PROVIDERS
from infra.hooks.vault import secret_name
from infra.hooks.webhook import EVENTS
from tests.bicep import INFRA, Bicep, everything, files, read
from tests.served import functions
from tuneops.doctor.judging import webhook as judged
from tuneops.doctor.judging.events import data_topic, jobs_topic
from tuneops.settings import Settings

ROOT = INFRA.parent
MAIN = INFRA / "main.bicep"
SETTINGS = INFRA / "modules" / "app-settings.bicep"
GUIDE = ROOT / "docs" / "azure.md"
LOCAL = yaml.safe_load((INFRA / "local.yaml").read_text())
ROLES = json.loads((INFRA / "roles.json").read_text())
OTHERS = json.loads((INFRA / "other-roles.json").read_text())
PARAMETERS = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
FUNCTIONS_OF_BICEP = re.compile(
    r"any|cidrSubnet|concat|contains|empty|environment|filter|flatten|guid|indexOf|items|join|last"
    r"|length|loadJsonContent|loadTextContent|loadYamlContent|map|range|replace|resourceGroup"
    r"|resourceId|split|string|subscription|subscriptionResourceId|substring|tenant|toLower"
    r"|toObject|trim|union|uniqueString"
)
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def by_name(path: Path) -> str:
    return str(path.relative_to(INFRA))


@pytest.fixture(params=files(), ids=by_name)
def bicep(request: pytest.FixtureRequest) -> Bicep:
    return read(request.param)


# Bicep with itself


def test_names_are_declared_and_used(bicep: Bicep) -> None:
    assert bicep.unknown_names() == set()
    assert bicep.unused_names() == set()
    assert [name for name in bicep.functions() if not FUNCTIONS_OF_BICEP.fullmatch(name)] == []


def test_names_that_are_nowhere_are_found(tmp_path: Path) -> None:
    text = MAIN.read_text()
    slips = {
        "scope: group": "scope: gruop",
        "'func-${suffix}'": "'func-${sufix}'",
        "!empty(part)": "!prt",
    }
    for right, wrong in slips.items():
        assert right in text
        text = text.replace(right, wrong, 1)
    (tmp_path / "main.bicep").write_text(text)
    assert Bicep(tmp_path / "main.bicep").unknown_names() == {"gruop", "sufix", "prt"}


def test_modules_get_what_they_take(bicep: Bicep) -> None:
    for module in bicep.modules:
        called = read(module.path)
        assert module.arguments <= set(called.parameters), module.symbol
        assert called.required <= module.arguments, module.symbol
        for output in re.findall(rf"\b{module.symbol}!?\.outputs\.(\w+)", bicep.text):
            assert output in called.outputs, module.symbol


def test_every_module_is_called() -> None:
    called = {module.path for each in everything() for module in each.modules}
    assert set(files()) - called == {MAIN, INFRA / "events.bicep"}


def test_names_of_deployments_differ() -> None:
    names = [
        name for each in everything() for name in re.findall(r"  name: '(tuneops-.*)'", each.text)
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_each_type_has_one_version() -> None:
    versions: dict[str, set[str]] = {}
    for each in everything():
        for resource in each.resources:
            versions.setdefault(resource.type, set()).add(resource.version)
    versions.pop("Microsoft.MachineLearningServices/workspaces")  # systemDatastoresAuthMode is new
    assert {kind for kind, found in versions.items() if len(found) > 1} == set()


def test_every_resource_has_tags(bicep: Bicep) -> None:
    for resource in bicep.resources:
        takes_tags = resource.type.count("/") == 1 or resource.type.endswith(
            ("/computes", "/virtualNetworkLinks")
        )
        untagged = ("Microsoft.Authorization/", "Microsoft.Insights/diagnosticSettings")
        if takes_tags and not resource.existing and not resource.type.startswith(untagged):
            assert re.search(r"(?m)^  tags: ", resource.text), resource.symbol


def test_no_key_and_no_secret_is_read_taken_or_given() -> None:
    for each in everything():
        assert not re.search(r"\blist(Keys|AccountSas|ConnectionStrings|Secrets)\b", each.text)
        for name, said in each.parameters.items():
            secret = re.search(r"(?i)secret|password|webhookReceiver|token|privateKey", name)
            secure = any(decorator["type"] == "secure" for decorator in said["decorators"])
            assert secure or not secret, f"{each.path}: {name}"
            assert not secure or name not in str(each.tree.get("outputs")), f"{each.path}: {name}"
        for name in each.outputs:
            assert not re.search(r"(?i)secret|password|token|key$", name), f"{each.path}: {name}"


# Bicep with the code


def setting_names() -> set[str]:
    """Every app setting that the code reads by its settings."""
    found = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [f"TUNEOPS_{name.upper()}"]
        found.add(str(choices[0]))
    return found


def code() -> str:
    """The text of all that runs in the function app."""
    found = [ROOT / "function_app.py", *(ROOT / "tuneops").rglob("*.py")]
    return "\n".join(file.read_text() for file in found)


def set_in_bicep() -> set[str]:
    text = SETTINGS.read_text()
    main = re.findall(r"'(TUNEOPS_[A-Z_]+)'", MAIN.read_text())
    return {*re.findall(r"(?m)^  ([A-Z]\w+): ", text), *main}


def left_at_default() -> set[str]:
    """What the guide lists as left alone."""
    section = GUIDE.read_text().partition("### Left at their defaults")[2].partition("\n#")[0]
    rows = re.findall(r"(?m)^\| (.+?) \|", section)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_setting_is_set_or_said_to_be_left_alone() -> None:
    assert left_at_default() & set_in_bicep() == set()
    assert setting_names() - set_in_bicep() - left_at_default() == set()
    read_otherwise = set(re.findall(r'environ(?:\.get\(|\[)"(TUNEOPS_\w+)"', code()))
    assert read_otherwise - set_in_bicep() - left_at_default() - {"TUNEOPS_DATA_TASK"} == set()


def test_every_setting_that_is_set_is_read() -> None:
    ours = {name for name in set_in_bicep() if name.startswith("TUNEOPS_")}
    assert {name for name in ours - setting_names() if f'"{name}"' not in code()} == set()


def test_the_host_has_no_key_and_what_it_wants() -> None:
    found = set_in_bicep()
    services = {"blobServiceUri", "queueServiceUri", "tableServiceUri"}
    wanted = {*services, "clientId", "credential"}
    assert {f"AzureWebJobsStorage__{name}" for name in wanted} <= found
    refused = {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE"}
    refused |= {"FUNCTIONS_EXTENSION_VERSION", "SCM_DO_BUILD_DURING_DEPLOYMENT"}
    assert refused & found == set()
    assert {"AZURE_CLIENT_ID", "AzureWebJobsDisableHomepage"} <= found


def test_flex_consumption_is_not_given_what_it_refuses() -> None:
    site = (INFRA / "modules" / "app.bicep").read_text()
    refused = (
        *("alwaysOn", "ftpsState", "functionAppScaleLimit", "linuxFxVersion"),
        *("functionsRuntimeScaleMonitoringEnabled", "preWarmedInstanceCount"),
        *("netFrameworkVersion", "use32BitWorkerProcess", "windowsFxVersion"),
    )
    assert [name for name in refused if f"{name}:" in site] == []


def test_what_is_set_makes_settings_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (each["value"].strip("${}").partition("=") for each in PARAMETERS.values())
    given = {variable: default for variable, _, default in texts}
    given |= {"TUNEOPS_GITHUB_REPOSITORY": "contoso/models", "TUNEOPS_CLOUD": "AzureCloud"}
    given |= {"WEBSITE_SITE_NAME": "func", "WEBSITE_HOSTNAME": "func.test"}
    for name in set_in_bicep() - {"TUNEOPS_GITHUB_APP_PRIVATE_KEY"} | given.keys():
        monkeypatch.setenv(name, given.get(name, "x"))
    settings = Settings()
    assert settings.storage_connection_string is None
    assert settings.blob_service_uri == "x"
    assert settings.page_url == "https://func.test"
    assert [source.repository for source in settings.config_sources] == ["contoso/models"]


def test_schedules_are_those_of_the_code() -> None:
    defaults = dict(re.findall(r'"(TUNEOPS_\w+_SCHEDULE)", "(.+?)"', code()))
    given = "".join(each["value"] for each in PARAMETERS.values())
    assert len(defaults) == 3
    assert [name for name, text in defaults.items() if f"${{{name}={text}}}" not in given] == []


def test_secrets_are_called_as_the_hooks_call_them() -> None:
    assert "secrets/${toLower(replace(name, '_', '-'))})'" in SETTINGS.read_text()
    assert secret_name("TUNEOPS_CHANNEL_TEAMS") == "tuneops-channel-teams"


@pytest.fixture(scope="module")
def triggers() -> dict[str, Any]:
    return {f.get_function_name(): f.get_trigger() for f in functions()}


def quoted(text: str, key: str) -> list[str]:
    """The strings of a list in Bicep."""
    found = re.search(rf"(?s)\b{key}: \[(.*?)\]", text)
    return re.findall(r"'(.+?)'", found[1]) if found else []


def test_event_subscriptions_reach_functions_and_tell_what_these_take(
    triggers: dict[str, Any],
) -> None:
    modules = read(INFRA / "events.bicep").modules
    found = {re.findall(r"/functions/(\w+)'", m.text)[0]: m.text for m in modules}
    event_grid = {name for name, trigger in triggers.items() if "eventGrid" in trigger.type}
    assert set(found) == event_grid == FUNCTIONS
    data, jobs = data_topic("", "datasets"), jobs_topic("")
    uploads, runs = found[data.function], found[jobs.function]
    assert quoted(uploads, "eventTypes") == list(data.types)
    assert data.subject.replace("datasets", "${datasetsContainer}") in uploads
    assert set(quoted(uploads, "values")) == dataset_uploaded.COMPLETE
    assert set(quoted(runs, "eventTypes")) == job_event.TYPES == set(jobs.types)
    assert "'StringNotIn'" in runs
    assert set(quoted(runs, "values")) == job_event.UNDER_WAY


def test_the_local_cloud_has_the_same_subscriptions() -> None:
    text = {m.text for m in read(INFRA / "events.bicep").modules}
    for wanted in LOCAL["event_subscriptions"]:
        (module,) = (each for each in text if f"/functions/{wanted['function']}'" in each)
        assert quoted(module, "eventTypes") == wanted["event_types"]
        subject = wanted.get("subject_begins_with", "").replace("datasets", "${datasetsContainer}")
        assert f"subjectBeginsWith: '{subject}'" in module
        (advanced,) = wanted["advanced_filters"]
        assert f"operatorType: '{advanced['operator']}'" in module
        assert f"key: '{advanced['key']}'" in module
        assert set(quoted(module, "values")) == set(advanced["values"])


def test_queues_and_containers_are_those_of_the_code(triggers: dict[str, Any]) -> None:
    assert "loadYamlContent('local.yaml').storage" in MAIN.read_text()
    declared = LOCAL["storage"]
    queues = [each.queue_name for each in triggers.values() if each.type == "queueTrigger"]
    assert sorted(queues) == sorted(declared["queues"])
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    ours = [value for name, value in defaults.items() if name.endswith("_container")]
    assert sorted(ours) == sorted(declared["containers"])
    assert f"var preparedContainer = '{defaults['prepared_container']}'" in MAIN.read_text()


# Roles


def test_every_role_is_granted_for_a_reason() -> None:
    access = (INFRA / "modules" / "access.bicep").read_text()
    granted = set(re.findall(r"grant\.scope == '(\w+)'", access))
    principals = re.findall(r"(?ms)^    principals: \{$(.*?)^    \}$", MAIN.read_text())[0]
    identities = set(re.findall(r"(?m)^      (\w+): ", principals))
    custom = {role["name"] for role in ROLES["customRoles"]}
    roles = [*ROLES["assignments"], *OTHERS]
    for role in roles:
        assert role["scope"] in granted, role
        assert role["identity"] in identities, role
        assert role["why"], role
        assert GUID.fullmatch(role["id"]) or role["role"] in custom, role
    keys = Counter((role["identity"], role["role"], role["scope"]) for role in roles)
    assert [key for key, count in keys.items() if count > 1] == []
    assert granted == {role["scope"] for role in roles}


def test_custom_roles_are_made_where_they_are_granted() -> None:
    used = {role["role"]: role["scope"] for role in ROLES["assignments"] if role["custom"]}
    assert set(used) == {role["name"] for role in ROLES["customRoles"]}
    assert set(used.values()) <= {"workspace", "resourceGroup", "subscription", "registry"}


def test_jobs_reach_data_and_nothing_of_the_app() -> None:
    granted = {
        r["scope"]: r["role"] for r in [*ROLES["assignments"], *OTHERS] if r["identity"] == "job"
    }
    assert granted == {
        "datasets": "Storage Blob Data Reader",
        "prepared": "Storage Blob Data Contributor",
        "workspaceStorage": "Storage Blob Data Contributor",
        "containerRegistry": "AcrPull",
    }


def test_each_custom_role_has_built_in_ones_in_its_place() -> None:
    instead = json.loads((INFRA / "builtin-roles.json").read_text())
    assert set(instead) == {role["name"] for role in ROLES["customRoles"]}
    assert all(GUID.fullmatch(role["id"]) for roles in instead.values() for role in roles)
    scopes = {role["role"]: role["scope"] for role in ROLES["assignments"] if role["custom"]}
    keys = Counter((scopes[name], role["id"]) for name in instead for role in instead[name])
    assert max(keys.values()) == 1


# azd


def variables() -> set[str]:
    """What azd reads of its environment for parameters."""
    return {re.split("[=}]", each["value"])[0].removeprefix("${") for each in PARAMETERS.values()}


def test_every_parameter_has_a_variable_and_a_line_in_the_guide() -> None:
    main = read(MAIN)
    assert list(PARAMETERS) == list(main.parameters)
    guide = GUIDE.read_text()
    for name, given in PARAMETERS.items():
        variable, _, default = given["value"].removeprefix("${").removesuffix("}").partition("=")
        row = re.search(rf"(?m)^\| `{variable}` \| (.*?) \|", guide)
        assert row, f"{variable} of {name}"
        assert row[1] == (f"`{default}`" if default else ""), variable
        asked = default or variable in ("AZURE_ENV_NAME", "AZURE_LOCATION")
        assert (name in main.required) == bool(asked), f"azd asks people for {name} otherwise"
    for output in set(main.outputs) & {
        each["value"][2:].split("=")[0] for each in PARAMETERS.values()
    }:
        same = ("AZURE_LOCATION", "AZURE_RESOURCE_GROUP", "TUNEOPS_DATASETS_CONTAINER")
        assert output in same, "azd would give it back as a parameter"


def test_azd_knows_the_service_and_finds_the_hooks() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert project["services"] == {
        "app": {"project": ".", "host": "function", "language": "python"}
    }
    assert "'azd-service-name': 'app'" in (INFRA / "modules" / "app.bicep").read_text()
    assert (ROOT / project["infra"]["path"] / f"{project['infra']['module']}.bicep") == MAIN
    for name, hook in project["hooks"].items():
        assert [hook[system]["run"] for system in ("posix", "windows")] == [
            f"python -m infra.hooks.{name}"
        ] * 2
        assert importlib.util.find_spec(f"infra.hooks.{name}")


@pytest.mark.parametrize("name", [".gitignore", ".funcignore"])
def test_what_azd_keeps_is_neither_committed_nor_deployed(name: str) -> None:
    assert ".azure" in [line.strip("/") for line in (ROOT / name).read_text().splitlines()]


def test_hooks_get_what_they_read() -> None:
    assert set(OUTPUTS.values()) <= set(read(MAIN).outputs)
    assert set(EXISTING) <= variables()
    events = set(read(INFRA / "events.bicep").parameters)
    hook = (INFRA / "hooks" / "postdeploy.py").read_text()
    assert set(re.findall(r'(?m)^        "(\w+)": deployed', hook)) == events
    assert EVENTS == judged.EVENTS


def test_all_providers_are_checked_for() -> None:
    used = {r.type.split("/")[0] for each in everything() for r in each.resources}
    always = {"Microsoft.Authorization", "Microsoft.Resources"}
    assert used - always - {*PROVIDERS, *OF_PRIVATE_NETWORKS} == set()
    assert "Microsoft.App/environments" in (INFRA / "modules" / "network.bicep").read_text()


def test_the_sample_settings_are_settings() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    channel = {name for name in sample if name.startswith("TUNEOPS_CHANNEL_")}
    assert set(sample) - setting_names() - channel == {
        "AzureWebJobsDisableHomepage",
        "FUNCTIONS_WORKER_RUNTIME",
    }


CARELESS = """\
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'careless'
  properties: {
    allowBlobPublicAccess: true
    supportsHttpsTrafficOnly: false
  }
}
"""


@pytest.mark.soak
def test_checkov_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(["make", "check-infra"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = r"(?m)Passed checks: (\d+), Failed checks: 0, Skipped checks: 0$"
    (passed,) = re.findall(summary, done.stdout)
    assert int(passed) > 30
    assert "Failed to run check" not in done.stderr

    (tmp_path / "careless.bicep").write_text(CARELESS)
    checkov = ROOT / ".localcloud" / "checkov" / "bin" / "checkov"
    line = [checkov, "--config-file", ROOT / ".checkov.yaml", "--directory", tmp_path]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "CKV_AZURE_3" in done.stdout
