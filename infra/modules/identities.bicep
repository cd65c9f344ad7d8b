// Who acts: the function app, the jobs that it submits, and the endpoints that it deploys.

param location string
param tags object
param suffix string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-app-${suffix}'
  location: location
  tags: tags
}

resource jobs 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-jobs-${suffix}'
  location: location
  tags: tags
}

resource endpoints 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-endpoints-${suffix}'
  location: location
  tags: tags
}

output appId string = app.id
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output jobsName string = jobs.name
output jobsId string = jobs.id
output jobsClientId string = jobs.properties.clientId
output jobsPrincipalId string = jobs.properties.principalId
output endpointsName string = endpoints.name
output endpointsId string = endpoints.id
output endpointsPrincipalId string = endpoints.properties.principalId
