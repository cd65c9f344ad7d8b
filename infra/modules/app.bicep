// The function app on Flex Consumption. No key opens its storage, no password its publishing.

@minLength(2)
@maxLength(60)
param name string

param location string
param tags object
param identityId string
param settings object

@description('Where the package lies: container and endpoint of the storage account.')
param packageContainerUrl string

@allowed([
  '3.11'
  '3.12'
])
param pythonVersion string

@allowed([
  2048
  4096
])
param instanceMemoryMB int

@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Whether instances are spread over zones, where the region has them.')
param zoneRedundant bool

@description('How many HTTP requests one instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Instances that are always there, as {name, instanceCount}: http, or function:NAME.')
param alwaysReady array

@description('Subnet for the way out; empty: none.')
param subnetId string

@description('Application of Entra ID that people sign in with; empty: the page wants a function key.')
param entraClientId string

param logAnalyticsId string

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      appSettings: map(items(settings), setting => { name: setting.key, value: setting.value })
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }
}

resource publishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = [for way in [
  'ftp'
  'scm'
]: {
  parent: site
  name: way
  properties: {
    allow: false
  }
}]

module signIn 'sign-in.bicep' = if (!empty(entraClientId)) {
  name: 'tuneops-sign-in-${name}'
  params: {
    siteName: site.name
    clientId: entraClientId
  }
}

resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'metrics'
  scope: site
  properties: {
    workspaceId: logAnalyticsId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = site.id
output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'
