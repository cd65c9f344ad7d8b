// A new Azure ML workspace with what it needs, all of it its own: storage, a vault and images.

param location string
param tags object
param suffix string
param storageSku string
param recoveryDays int
param private bool
param publicNetworkAccess string
param allowedAddresses array
param logAnalyticsId string
param jobsIdentityId string
param dataStorageId string
param clusterSize string
param clusterName string
param clusterMaxNodes int

module storage 'storage.bicep' = {
  name: 'tuneops-workspace-storage-${suffix}'
  params: {
    name: 'stml${suffix}'
    location: location
    tags: tags
    sku: storageSku
    recoveryDays: recoveryDays
    publicNetworkAccess: publicNetworkAccess
    private: private
    allowedAddresses: allowedAddresses
  }
}

module vault 'vault.bicep' = {
  name: 'tuneops-workspace-vault-${suffix}'
  params: {
    name: 'kv-ml-${suffix}'
    location: location
    tags: tags
    publicNetworkAccess: publicNetworkAccess
    private: private
    allowedAddresses: allowedAddresses
    logAnalyticsId: logAnalyticsId
  }
}

module images 'container-registry.bicep' = {
  name: 'tuneops-workspace-images-${suffix}'
  params: {
    name: 'cr${suffix}'
    location: location
    tags: tags
    private: private
  }
}

// A workspace wants one; the app's own is for the app alone.
resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-ml-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logAnalyticsId
    DisableLocalAuth: true
  }
}

module workspace 'workspace.bicep' = {
  name: 'tuneops-workspace-${suffix}'
  params: {
    name: 'mlw-${suffix}'
    location: location
    tags: tags
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    insightsId: insights.id
    containerRegistryId: images.outputs.id
    jobsIdentityId: jobsIdentityId
    dataStorageId: dataStorageId
    private: private
    clusterSize: clusterSize
    clusterName: clusterName
    clusterMaxNodes: clusterMaxNodes
  }
}

output id string = workspace.outputs.id
output name string = workspace.outputs.name
output location string = workspace.outputs.location
output storageId string = storage.outputs.id
output vaultId string = vault.outputs.id
output containerRegistryId string = images.outputs.id
