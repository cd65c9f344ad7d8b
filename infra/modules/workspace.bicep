// An Azure ML workspace; its datastores are reached by identities.

@minLength(3)
@maxLength(33)
param name string

param location string
param tags object
param storageId string
param vaultId string
param insightsId string
param containerRegistryId string

@description('Identity that serverless jobs can run with.')
param jobsIdentityId string

@description('Account of this resource group that jobs reach by a private endpoint, too, where all is private; empty: none.')
param dataStorageId string

param private bool

@description('Size of the cluster that trains; empty: none, jobs are serverless or configs describe their cluster.')
param clusterSize string

@minLength(2)
@maxLength(32)
param clusterName string

@minValue(1)
param clusterMaxNodes int

resource workspace 'Microsoft.MachineLearningServices/workspaces@2024-10-01-preview' = {
  name: name
  location: location
  tags: tags
  kind: 'Default'
  sku: {
    name: 'Basic'
    tier: 'Basic'
  }
  identity: {
    type: 'SystemAssigned,UserAssigned'
    userAssignedIdentities: {
      '${jobsIdentityId}': {}
    }
  }
  properties: {
    friendlyName: name
    storageAccount: storageId
    keyVault: vaultId
    applicationInsights: insightsId
    containerRegistry: containerRegistryId
    systemDatastoresAuthMode: 'Identity'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    managedNetwork: {
      isolationMode: private ? 'AllowInternetOutbound' : 'Disabled'
    }
  }
}

var reachesData = private && !empty(dataStorageId)

module approval 'grant-storage.bicep' = if (reachesData) {
  name: 'tuneops-approval-${name}'
  params: {
    accountName: last(split(dataStorageId, '/'))
    grants: [
      {
        principalId: workspace.identity.principalId
        principalType: 'ServicePrincipal'
        role: 'Azure AI Enterprise Network Connection Approver'
        id: 'b556d68e-0be0-4f35-a333-ad7ee1ce17ea'
        why: 'the managed network of the workspace makes a private endpoint for the data'
      }
    ]
  }
}

resource wayToData 'Microsoft.MachineLearningServices/workspaces/outboundRules@2024-10-01' = if (reachesData) {
  parent: workspace
  name: 'tuneops-data'
  properties: {
    type: 'PrivateEndpoint'
    category: 'UserDefined'
    destination: {
      serviceResourceId: dataStorageId
      subresourceTarget: 'blob'
      sparkEnabled: false
    }
  }
  dependsOn: [
    approval
  ]
}

// The network is made for the first machines.
resource cluster 'Microsoft.MachineLearningServices/workspaces/computes@2024-10-01' = if (!empty(clusterSize)) {
  parent: workspace
  name: clusterName
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${jobsIdentityId}': {}
    }
  }
  properties: {
    computeType: 'AmlCompute'
    disableLocalAuth: true
    properties: {
      vmSize: clusterSize
      vmPriority: 'Dedicated'
      osType: 'Linux'
      remoteLoginPortPublicAccess: 'Disabled'
      enableNodePublicIp: !private
      scaleSettings: {
        minNodeCount: 0
        maxNodeCount: clusterMaxNodes
        nodeIdleTimeBeforeScaleDown: 'PT30M'
      }
    }
  }
  dependsOn: [
    wayToData
  ]
}

output id string = workspace.id
output name string = workspace.name
output location string = workspace.location
