// The vault for the secrets of app settings, a new one or one that exists.

targetScope = 'subscription'

param location string
param tags object
param suffix string
param groupName string

@description('Id of the vault to use; empty: one is created.')
param existingId string

param publicNetworkAccess string
param private bool
param allowedAddresses array
param logAnalyticsId string

var exists = !empty(existingId)
var at = split(exists ? existingId : '${subscription().id}/resourceGroups/${groupName}', '/')

module newVault 'vault.bicep' = if (!exists) {
  name: 'tuneops-vault-${suffix}'
  scope: resourceGroup(groupName)
  params: {
    name: 'kv-${suffix}'
    location: location
    tags: tags
    publicNetworkAccess: publicNetworkAccess
    private: private
    allowedAddresses: allowedAddresses
    logAnalyticsId: logAnalyticsId
  }
}

module oldVault 'vault-existing.bicep' = if (exists) {
  name: 'tuneops-vault-existing-${suffix}'
  scope: resourceGroup(at[2], at[4])
  params: {
    name: last(at)
  }
}

output id string = exists ? existingId : newVault!.outputs.id
output name string = exists ? oldVault!.outputs.name : newVault!.outputs.name
output uri string = exists ? oldVault!.outputs.uri : newVault!.outputs.uri
