"""Where the function app runs, as its environment says it, and commands about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """The function app in Azure; names that are not known are given in capitals."""

    name: str
    resource_group: str
    subscription_id: str
    known: bool

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Site":
        """The app of this environment; elsewhere than in Azure nothing is known of it."""
        name = environment.get("WEBSITE_SITE_NAME", "")
        owner = environment.get("WEBSITE_OWNER_NAME", "")
        return cls(
            name=name or "APP",
            resource_group=environment.get("WEBSITE_RESOURCE_GROUP", "") or "GROUP",
            subscription_id=owner.partition("+")[0] or "SUBSCRIPTION",
            known=bool(name),
        )

    @property
    def id(self) -> str:
        """The app's ARM id."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Web/sites/{self.name}"
        )

    def refresh(self) -> str:
        """How to have the app read its references to Key Vault again, which it does once a day."""
        path = "config/configreferences/appsettings/refresh?api-version=2022-03-01"
        return f"az rest --method post --url '{self.id}/{path}'"

    def setting(self, name: str, value: str) -> str:
        """How to give the app a setting."""
        return (
            f"az functionapp config appsettings set --name {self.name} "
            f"--resource-group {self.resource_group} --settings '{name}={value}'"
        )


def grant(role: str, object_id: str, scope: str, custom: bool = False) -> str:
    """How to give an identity a role; the templates add to the name of a custom one."""
    whom, named = object_id or "OBJECT_ID", f"'{role}'"
    if custom:
        query = f"[?starts_with(roleName, '{role}')].name | [0]"
        found = f'az role definition list --custom-role-only --scope {scope} --query "{query}"'
        named = f'"$({found} --output tsv)"'
    return (
        f"az role assignment create --role {named} --assignee-object-id {whom} "
        f"--assignee-principal-type ServicePrincipal --scope {scope}"
    )
