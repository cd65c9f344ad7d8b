"""Why GitHub could not be asked."""


class GitHubError(Exception):
    """GitHub could not be asked, or answered what it should not have; worth trying again.

    `permanent`: but not for the same thing, such as a status of a commit that GitHub has not.
    """

    def __init__(self, text: str, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


class TooManyError(GitHubError):
    """A commit has more files than are read."""


class NoBranchError(GitHubError):
    """GitHub does not show the branch."""
