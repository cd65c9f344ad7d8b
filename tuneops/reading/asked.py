"""Which release is asked for, by its number or as the newest one."""

import re

from tuneops import documents
from tuneops.desired import Desired
from tuneops.names import PROJECT_KEY, environment_of
from tuneops.project import Project
from tuneops.release import Release
from tuneops.services import NoSourceError, Services

LATEST = "latest"
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


class NotThereError(Exception):
    """There is no such thing; the message says what there is."""


def project_of(services: Services, name: str) -> Project:
    """The project's own document; one that has no release yet is new.

    Raises:
        NotThereError: there is no such project.
        UnreadableError: what is stored is none of this version.
    """
    if re.fullmatch(PROJECT_KEY, name):
        stored = services.store.read(documents.project(name), Project)
        if stored:
            return stored.value
        if services.store.read(documents.desired(name), Desired):
            return Project(name=name)
    raise NotThereError(f"there is no project {name[:80]!r}; 'tuneops status' shows all")


def release_of(services: Services, name: str, number: str) -> Release:
    """The release of this number, or with ``latest`` the newest one.

    Raises:
        NotThereError: there is no such project or release.
        UnreadableError: what is stored is none of this version.
    """
    newest = project_of(services, name).current
    if newest is None:
        raise NotThereError(f"project {name} has no release yet")
    if number != LATEST and not _NUMBER.fullmatch(number):
        raise NotThereError(f"{number[:80]!r} is no release: give a number from 1, or '{LATEST}'")
    found = services.release(name, newest if number == LATEST else int(number))
    if found is None:
        raise NotThereError(f"project {name} has no release {number}; the newest is {newest}")
    return found.value


def services_of(services: Services, name: str) -> Services:
    """The services of the project's environment, to ask its workspace with.

    Raises:
        NotThereError: the settings name no source for the environment any more.
    """
    try:
        return services.of(environment_of(name))
    except NoSourceError as error:
        raise NotThereError(f"{error}: its workspace is not known") from error
