// The images of the workspace's environments. Private endpoints need the tier Premium.

@minLength(5)
@maxLength(50)
param name string

param location string
param tags object
param private bool

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: private ? 'Premium' : 'Standard'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkRuleBypassOptions: 'AzureServices'
  }
}

output id string = registry.id
output name string = registry.name
