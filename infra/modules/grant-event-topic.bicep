// Roles on an Event Grid topic.

param topicName string

@description('{principalId, principalType, role, id, why}')
param grants array

resource target 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
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
