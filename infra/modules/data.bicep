// The storage account for data and state, a new one or one that exists, with what TuneOps keeps in it.

targetScope = 'subscription'

param location string
param tags object
param suffix string
param groupName string

@description('Id of the account to use; empty: one is created.')
param existingId string

param sku string
param recoveryDays int
param publicNetworkAccess string
param private bool
param allowedAddresses array
param containers array
param queues array
param deadLetterContainer string

var exists = !empty(existingId)
var at = split(exists ? existingId : '${subscription().id}/resourceGroups/${groupName}', '/')

module newAccount 'storage.bicep' = if (!exists) {
  name: 'tuneops-storage-${suffix}'
  scope: resourceGroup(groupName)
  params: {
    name: 'st${suffix}'
    location: location
    tags: tags
    sku: sku
    recoveryDays: recoveryDays
    publicNetworkAccess: publicNetworkAccess
    private: private
    allowedAddresses: allowedAddresses
    deadLetterContainer: deadLetterContainer
  }
}

module oldAccount 'storage-existing.bicep' = if (exists) {
  name: 'tuneops-storage-existing-${suffix}'
  scope: resourceGroup(at[2], at[4])
  params: {
    name: last(at)
  }
}

module contents 'storage-contents.bicep' = {
  name: 'tuneops-contents-${suffix}'
  scope: resourceGroup(at[2], at[4])
  params: {
    accountName: exists ? oldAccount!.outputs.name : newAccount!.outputs.name
    containers: containers
    queues: queues
  }
}

output id string = exists ? oldAccount!.outputs.id : newAccount!.outputs.id
output location string = exists ? oldAccount!.outputs.location : newAccount!.outputs.location
output blobEndpoint string = exists ? oldAccount!.outputs.blobEndpoint : newAccount!.outputs.blobEndpoint
output queueEndpoint string = exists ? oldAccount!.outputs.queueEndpoint : newAccount!.outputs.queueEndpoint
output tableEndpoint string = exists ? oldAccount!.outputs.tableEndpoint : newAccount!.outputs.tableEndpoint
