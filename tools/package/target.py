"""Where the package is to run, and which requirements that place has."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.requirements import Requirement

NEWEST_GLIBC = 28
"""Wheels for this one, 2.28, or an earlier one run on every image of the Functions host."""


@dataclass(frozen=True)
class Pin:
    """A line of requirements.txt."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the package."""
        return self.requirement.name

    @property
    def line(self) -> str:
        """The line without its marker."""
        return " ".join((f"{self.name}{self.requirement.specifier}", *self.hashes))


@dataclass(frozen=True)
class Target:
    """Linux on x86_64, as the Functions host is, with a version of Python as 3.12."""

    python: str

    def needs(self, requirement: Requirement, extras: Iterable[str] = ("",)) -> bool:
        """Whether it is required here, with any of the extras: not in the Python that asks."""
        marker = requirement.marker
        known = self._environment
        return marker is None or any(marker.evaluate(known | {"extra": each}) for each in extras)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **{name: str(value) for name, value in default_environment().items()},
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    @property
    def pip_options(self) -> list[str]:
        """What has pip choose the wheels of this place."""
        glibc = [f"manylinux_2_{minor}_x86_64" for minor in range(NEWEST_GLIBC, 4, -1)]
        platforms = [*glibc, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
        options = [f"--platform={name}" for name in platforms]
        return [*options, f"--python-version={self.python}", "--implementation=cp"]


def read_pins(text: str) -> list[Pin]:
    """The lines of a requirements.txt, each with its hashes."""
    lines = text.replace("\\\n", " ").splitlines()
    parts = [line.split(" --hash=") for line in lines if line.strip()]
    return [
        Pin(Requirement(first.strip()), tuple(f"--hash={each.strip()}" for each in hashes))
        for first, *hashes in parts
    ]
