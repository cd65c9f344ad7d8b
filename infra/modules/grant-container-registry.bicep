// Roles on a container registry.

param registryName string

@description('{principalId, principalType, role, id, why}')
param grants array

resource target 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for grant in grants: {
  name: guid(target.id, grant.principalId, grant.role)
  scope: target
  properties: {
    principalId: grant.principalId
    principalType: grant.principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.id)
    description: grant.why
  }
}]
