// An Azure ML workspace that is there already; it is not changed.

param name string

resource workspace 'Microsoft.MachineLearningServices/workspaces@2024-10-01' existing = {
  name: name
}

output id string = workspace.id
output name string = workspace.name
output location string = workspace.location
output storageId string = workspace.properties.storageAccount
output containerRegistryId string = workspace.properties.?containerRegistry ?? ''
