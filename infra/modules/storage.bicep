// A storage account that only identities get into. Nothing that is deleted or overwritten is lost
// at once.

@minLength(3)
@maxLength(24)
param name string

param location string
param tags object

@description('How data is replicated: zones survive the loss of a data centre.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param sku string

@description('How many days what was deleted or overwritten can be brought back.')
@minValue(1)
@maxValue(365)
param recoveryDays int

@allowed([
  'Disabled'
  'Enabled'
])
param publicNetworkAccess string

@description('Whether those are kept out who come neither by a private endpoint, nor from the addresses below, nor as a service that Azure trusts.')
param private bool

param allowedAddresses array

@description('Container whose old blobs may go; empty: none.')
param deadLetterContainer string = ''

@minValue(1)
param deadLetterDays int = 30

var lifecycleRules = concat([
  {
    name: 'earlier-versions'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'appendBlob'
          'blockBlob'
        ]
      }
      actions: {
        version: {
          delete: {
            daysAfterCreationGreaterThan: recoveryDays
          }
        }
      }
    }
  }
], empty(deadLetterContainer) ? [] : [
  {
    name: 'dead-letters'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: {
        blobTypes: [
          'blockBlob'
        ]
        prefixMatch: [
          '${deadLetterContainer}/'
        ]
      }
      actions: {
        baseBlob: {
          delete: {
            daysAfterModificationGreaterThan: deadLetterDays
          }
        }
      }
    }
  }
])

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: map(allowedAddresses, address => { value: address, action: 'Allow' })
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: recoveryDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: recoveryDays
    }
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: lifecycleRules
    }
  }
  dependsOn: [
    blobs
  ]
}

output id string = account.id
output name string = account.name
output location string = account.location
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
