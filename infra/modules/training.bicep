// The Azure ML workspace, a new one with what it needs or one that exists.

targetScope = 'subscription'

param location string
param tags object
param suffix string
param groupName string

@description('Id of the workspace to use; empty: one is created.')
param existingId string

param storageSku string
param recoveryDays int
param publicNetworkAccess string
param private bool
param allowedAddresses array
param logAnalyticsId string
param jobsIdentityId string
param dataStorageId string
param clusterSize string
param clusterName string
param clusterMaxNodes int

var exists = !empty(existingId)
var at = split(exists ? existingId : '${subscription().id}/resourceGroups/${groupName}', '/')

module newWorkspace 'learning.bicep' = if (!exists) {
  name: 'tuneops-learning-${suffix}'
  scope: resourceGroup(groupName)
  params: {
    location: location
    tags: tags
    suffix: suffix
    storageSku: storageSku
    recoveryDays: recoveryDays
    publicNetworkAccess: publicNetworkAccess
    private: private
    allowedAddresses: allowedAddresses
    logAnalyticsId: logAnalyticsId
    jobsIdentityId: jobsIdentityId
    dataStorageId: dataStorageId
    clusterSize: clusterSize
    clusterName: clusterName
    clusterMaxNodes: clusterMaxNodes
  }
}

module oldWorkspace 'workspace-existing.bicep' = if (exists) {
  name: 'tuneops-workspace-existing-${suffix}'
  scope: resourceGroup(at[2], at[4])
  params: {
    name: last(at)
  }
}

output id string = exists ? oldWorkspace!.outputs.id : newWorkspace!.outputs.id
output name string = exists ? oldWorkspace!.outputs.name : newWorkspace!.outputs.name
output location string = exists ? oldWorkspace!.outputs.location : newWorkspace!.outputs.location
output storageId string = exists ? oldWorkspace!.outputs.storageId : newWorkspace!.outputs.storageId
output containerRegistryId string = exists ? oldWorkspace!.outputs.containerRegistryId : newWorkspace!.outputs.containerRegistryId

@description('Empty where the workspace exists: its vault is its owner\'s.')
output vaultId string = exists ? '' : newWorkspace!.outputs.vaultId
