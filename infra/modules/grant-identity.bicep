// Roles on a user-assigned identity.

param identityName string

@description('{principalId, principalType, role, id, why}')
param grants array

resource target 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
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
