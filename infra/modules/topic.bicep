// Where a resource tells of its events. Azure allows one system topic for each resource; one that
// is there already is not changed, and has to have an identity of its own.

param name string
param location string
param tags object
param source string

@allowed([
  'Microsoft.Storage.StorageAccounts'
  'Microsoft.MachineLearningServices.Workspaces'
])
param topicType string

param exists bool
param logAnalyticsId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!exists) {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: source
    topicType: topicType
  }
}

resource known 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (exists) {
  name: name
}

resource failures 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!exists) {
  name: 'failures'
  scope: topic
  properties: {
    workspaceId: logAnalyticsId
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = exists ? known.id : topic.id
output principalId string = exists ? known!.identity.principalId : topic!.identity.principalId
