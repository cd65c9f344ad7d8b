// Roles on an Azure ML registry, with the custom ones that they are of.

param registryName string

@description('Tells the custom roles of this TuneOps from those of another.')
param suffix string

@description('{name, description, actions, notActions, dataActions, notDataActions}; a grant without an id is of one of these.')
param customRoles array

@description('{principalId, principalType, role, id, why}')
param grants array

resource target 'Microsoft.MachineLearningServices/registries@2024-10-01' existing = {
  name: registryName
}

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for role in customRoles: {
  name: guid(resourceGroup().id, suffix, role.name)
  properties: {
    roleName: '${role.name} (${uniqueString(resourceGroup().id, suffix)})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.actions
        notActions: role.notActions
        dataActions: role.dataActions
        notDataActions: role.notDataActions
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}]

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for grant in grants: {
  name: guid(target.id, grant.principalId, grant.role)
  scope: target
  properties: {
    principalId: grant.principalId
    principalType: grant.principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', empty(grant.id) ? guid(resourceGroup().id, suffix, grant.role) : grant.id)
    description: grant.why
  }
  dependsOn: [
    definition
  ]
}]
