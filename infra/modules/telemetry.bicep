// Application Insights, and a Log Analytics workspace unless there is one already.
// Both take telemetry from identities alone.

param location string
param tags object
param suffix string

@description('Id of a Log Analytics workspace to use; empty: one is created.')
param existingLogAnalyticsId string

@minValue(30)
@maxValue(730)
param retentionDays int

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = if (empty(existingLogAnalyticsId)) {
  name: 'log-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: empty(existingLogAnalyticsId) ? logs.id : existingLogAnalyticsId
    DisableLocalAuth: true
  }
}

output logAnalyticsId string = empty(existingLogAnalyticsId) ? logs.id : existingLogAnalyticsId
output insightsId string = insights.id
output insightsName string = insights.name
output connectionString string = insights.properties.ConnectionString
