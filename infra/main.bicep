// TuneOps on Azure: everything but the code, the secrets and the event subscriptions, which azd's
// hooks and infra/events.bicep bring once the functions are there. docs/azure.md walks through it.
// What may be empty has a default: azd asks for whatever has none and comes out empty.

targetScope = 'subscription'

// Where

@description('Name of azd\'s environment; names of resources follow from it.')
@minLength(1)
@maxLength(64)
param environmentName string

@minLength(1)
param location string

@description('Resource group for what is created, which may be there already; empty: rg- and the name of the environment.')
@maxLength(90)
param resourceGroupName string = ''

@description('Who deploys: may store secrets and upload data. Empty: nobody gets these roles.')
param principalId string = ''

@allowed([
  'Group'
  'ServicePrincipal'
  'User'
])
param principalType string

// What exists: ids of resources, also of another resource group. Empty: it is created.

param existingWorkspaceId string = ''
param existingStorageAccountId string = ''
param existingKeyVaultId string = ''
param existingLogAnalyticsId string = ''

@description('Name of the system topic that the existing storage account has already.')
param existingStorageTopic string = ''

@description('Name of the system topic that the existing workspace has already.')
param existingWorkspaceTopic string = ''

// GitHub

@description('owner/name; empty where TUNEOPS_SOURCES is one of moreVaultSettings.')
param githubRepository string = ''

param githubBranch string
param configFiles string
param githubApiUrl string

@description('Id of the GitHub App; empty: TUNEOPS_GITHUB_TOKEN is a secret of the vault.')
param githubAppId string = ''

param githubInstallationId string = ''

@description('Further app settings that are secrets of the vault, with commas between: TUNEOPS_CHANNELS, TUNEOPS_CHANNEL_TEAMS ...')
param moreVaultSettings string = ''

@description('Further app settings, with semicolons between: TUNEOPS_POLL_SECONDS=30;TUNEOPS_SWEEP=report')
param moreSettings string = ''

// The page

@description('The address that people use; empty: the app\'s own.')
param pageUrl string = ''

param pageReaderRole string = ''

@description('Client id of the application of Entra ID that people sign in with; empty: the page wants a function key.')
param entraClientId string = ''

// The function app

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

@minValue(1)
@maxValue(100)
param httpConcurrency int

@description('Threads of one instance, which functions run in.')
@minValue(1)
@maxValue(64)
param workerThreads int

@description('Instances for HTTP that are always there, which are paid for: webhooks are answered without a cold start.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int

@description('Instances for the function reconcile that are always there.')
@minValue(0)
@maxValue(20)
param alwaysReadyReconcile int

param resyncSchedule string
param sweepSchedule string
param summarySchedule string

// Data and state

@minLength(3)
@maxLength(63)
param datasetsContainer string

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string

@minValue(1)
@maxValue(365)
param recoveryDays int

@minValue(30)
@maxValue(730)
param logRetentionDays int

// Training

@description('Size of a cluster for training in a new workspace; empty: none.')
param clusterSize string = ''

@minLength(2)
@maxLength(32)
param clusterName string

@minValue(1)
@maxValue(100)
param clusterMaxNodes int

@description('Ids of Azure ML registries of your own, with commas between.')
param registryIds string = ''

@description('Ids of Event Grid topics that channels send to, with commas between.')
param eventTopicIds string = ''

// Network and access

@description('Private endpoints for what is created, and a way out through a virtual network.')
param privateNetworking bool

@description('Address range of that network, a /23 at least.')
param addressPrefix string

@description('IPv4 addresses that get in from outside all the same, with commas between.')
param allowedAddresses string = ''

@description('Principal id of the identity that GitHub\'s workflow deploys with; empty: none.')
param workflowPrincipalId string = ''

@description('Whether roles are made that allow what the code does and no more; else built-in ones are granted, which allow more.')
param customRoles bool

@description('Names of roles of roles.json that are not granted, with commas between.')
param leftOutRoles string = ''

// Alerts

@description('Addresses that get mails, with commas between.')
param alertMails string = ''

@description('Ids of action groups that exist, with commas between.')
param actionGroupIds string = ''

@description('Names of endpoints whose failed answers raise an alert, with commas between.')
param alertEndpoints string = ''

var tags = {
  application: 'tuneops'
  'azd-env-name': environmentName
}
var groupName = empty(resourceGroupName) ? 'rg-${environmentName}' : resourceGroupName
var suffix = toLower(uniqueString(subscription().id, groupName, environmentName, location))
var declared = loadYamlContent('local.yaml').storage
var preparedContainer = 'prepared'
var packageContainer = 'app-packages'
var deadLetterContainer = 'dead-letters'
var containers = union(filter(declared.containers, name => name != 'datasets'), [
  datasetsContainer
  packageContainer
  deadLetterContainer
])
var queues = concat(declared.queues, map(declared.queues, name => '${name}-poison'))
var githubSecret = empty(githubAppId) ? 'TUNEOPS_GITHUB_TOKEN' : 'TUNEOPS_GITHUB_APP_PRIVATE_KEY'
var vaultSettings = union([
  'TUNEOPS_GITHUB_WEBHOOK_SECRET'
  githubSecret
], filter(map(split(moreVaultSettings, ','), part => trim(part)), part => !empty(part)))
var addresses = filter(map(split(allowedAddresses, ','), part => trim(part)), part => !empty(part))
var publicNetworkAccess = privateNetworking && empty(addresses) ? 'Disabled' : 'Enabled'
var alwaysReady = filter([
  {
    name: 'http'
    instanceCount: alwaysReadyHttp
  }
  {
    name: 'function:reconcile'
    instanceCount: alwaysReadyReconcile
  }
], each => each.instanceCount > 0)

var ownGroup = '/subscriptions/${subscription().subscriptionId}/resourceGroups/${groupName}'
var storageAt = split(empty(existingStorageAccountId) ? ownGroup : existingStorageAccountId, '/')
var workspaceAt = split(empty(existingWorkspaceId) ? ownGroup : existingWorkspaceId, '/')

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: groupName
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'tuneops-identities-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
  }
}

module telemetry 'modules/telemetry.bicep' = {
  name: 'tuneops-telemetry-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    existingLogAnalyticsId: existingLogAnalyticsId
    retentionDays: logRetentionDays
  }
}

module data 'modules/data.bicep' = {
  name: 'tuneops-data-${suffix}'
  params: {
    location: location
    tags: tags
    suffix: suffix
    groupName: group.name
    existingId: existingStorageAccountId
    sku: storageSku
    recoveryDays: recoveryDays
    publicNetworkAccess: publicNetworkAccess
    private: privateNetworking
    allowedAddresses: addresses
    containers: containers
    queues: queues
    deadLetterContainer: deadLetterContainer
  }
}

module secrets 'modules/secrets.bicep' = {
  name: 'tuneops-secrets-${suffix}'
  params: {
    location: location
    tags: tags
    suffix: suffix
    groupName: group.name
    existingId: existingKeyVaultId
    publicNetworkAccess: publicNetworkAccess
    private: privateNetworking
    allowedAddresses: addresses
    logAnalyticsId: telemetry.outputs.logAnalyticsId
  }
}

module training 'modules/training.bicep' = {
  name: 'tuneops-training-${suffix}'
  params: {
    location: location
    tags: tags
    suffix: suffix
    groupName: group.name
    existingId: existingWorkspaceId
    storageSku: storageSku
    recoveryDays: recoveryDays
    publicNetworkAccess: publicNetworkAccess
    private: privateNetworking
    allowedAddresses: addresses
    logAnalyticsId: telemetry.outputs.logAnalyticsId
    jobsIdentityId: identities.outputs.jobsId
    dataStorageId: empty(existingStorageAccountId) ? data.outputs.id : ''
    clusterSize: clusterSize
    clusterName: clusterName
    clusterMaxNodes: clusterMaxNodes
  }
}

var privateStorage = empty(existingStorageAccountId) ? [
  {
    name: 'blob'
    id: data.outputs.id
    part: 'blob'
  }
  {
    name: 'queue'
    id: data.outputs.id
    part: 'queue'
  }
  {
    name: 'table'
    id: data.outputs.id
    part: 'table'
  }
] : []
var privateVault = empty(existingKeyVaultId) ? [
  {
    name: 'vault'
    id: secrets.outputs.id
    part: 'vault'
  }
] : []
var privateLearning = empty(existingWorkspaceId) ? [
  {
    name: 'workspace'
    id: training.outputs.id
    part: 'amlworkspace'
  }
  {
    name: 'workspace-blob'
    id: training.outputs.storageId
    part: 'blob'
  }
  {
    name: 'workspace-file'
    id: training.outputs.storageId
    part: 'file'
  }
  {
    name: 'workspace-vault'
    id: training.outputs.vaultId
    part: 'vault'
  }
  {
    name: 'images'
    id: training.outputs.containerRegistryId
    part: 'registry'
  }
] : []

module network 'modules/private-access.bicep' = if (privateNetworking) {
  name: 'tuneops-private-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    addressPrefix: addressPrefix
    services: concat(privateStorage, privateVault, privateLearning)
  }
}

module settings 'modules/app-settings.bicep' = {
  name: 'tuneops-settings-${suffix}'
  scope: group
  params: {
    storageBlobEndpoint: data.outputs.blobEndpoint
    storageQueueEndpoint: data.outputs.queueEndpoint
    storageTableEndpoint: data.outputs.tableEndpoint
    identityClientId: identities.outputs.appClientId
    insightsConnectionString: telemetry.outputs.connectionString
    vaultUri: secrets.outputs.uri
    vaultSettings: vaultSettings
    subscriptionId: workspaceAt[2]
    resourceGroupName: workspaceAt[4]
    workspaceName: training.outputs.name
    datasetsContainer: datasetsContainer
    githubRepository: githubRepository
    githubBranch: githubBranch
    configFiles: configFiles
    githubApiUrl: githubApiUrl
    githubAppId: githubAppId
    githubInstallationId: githubInstallationId
    pageUrl: pageUrl
    pageReaderRole: pageReaderRole
    resyncSchedule: resyncSchedule
    sweepSchedule: sweepSchedule
    summarySchedule: summarySchedule
    workerThreads: workerThreads
    signIn: !empty(entraClientId)
    moreSettings: filter(map(split(moreSettings, ';'), text => trim(text)), text => contains(text, '='))
  }
}

module app 'modules/app.bicep' = {
  name: 'tuneops-app-${suffix}'
  scope: group
  params: {
    name: 'func-${suffix}'
    location: location
    tags: tags
    identityId: identities.outputs.appId
    settings: settings.outputs.settings
    packageContainerUrl: '${data.outputs.blobEndpoint}${packageContainer}'
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    zoneRedundant: zoneRedundant
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    entraClientId: entraClientId
    logAnalyticsId: telemetry.outputs.logAnalyticsId
  }
}

module storageTopic 'modules/topic.bicep' = {
  name: 'tuneops-storage-topic-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    name: empty(existingStorageTopic) ? 'evgt-storage-${suffix}' : existingStorageTopic
    location: data.outputs.location
    tags: tags
    source: data.outputs.id
    topicType: 'Microsoft.Storage.StorageAccounts'
    exists: !empty(existingStorageTopic)
    logAnalyticsId: telemetry.outputs.logAnalyticsId
  }
}

module workspaceTopic 'modules/topic.bicep' = {
  name: 'tuneops-workspace-topic-${suffix}'
  scope: resourceGroup(workspaceAt[2], workspaceAt[4])
  params: {
    name: empty(existingWorkspaceTopic) ? 'evgt-workspace-${suffix}' : existingWorkspaceTopic
    location: training.outputs.location
    tags: tags
    source: training.outputs.id
    topicType: 'Microsoft.MachineLearningServices.Workspaces'
    exists: !empty(existingWorkspaceTopic)
    logAnalyticsId: telemetry.outputs.logAnalyticsId
  }
}

module access 'modules/access.bicep' = {
  name: 'tuneops-roles-${suffix}'
  params: {
    suffix: suffix
    principals: {
      app: [
        identities.outputs.appPrincipalId
      ]
      job: [
        identities.outputs.jobsPrincipalId
      ]
      endpoint: [
        identities.outputs.endpointsPrincipalId
      ]
      eventTopic: [
        storageTopic.outputs.principalId
        workspaceTopic.outputs.principalId
      ]
      deployer: filter(map(split(workflowPrincipalId, ','), part => trim(part)), part => !empty(part))
      people: filter(map(split(principalId, ','), part => trim(part)), part => !empty(part))
    }
    peopleType: principalType
    customRoles: customRoles
    leftOut: filter(map(split(leftOutRoles, ','), part => trim(part)), part => !empty(part))
    storageId: data.outputs.id
    datasetsContainer: datasetsContainer
    preparedContainer: preparedContainer
    deadLetterContainer: deadLetterContainer
    workspaceId: training.outputs.id
    workspaceStorageId: training.outputs.storageId
    containerRegistryId: training.outputs.containerRegistryId
    vaultId: secrets.outputs.id
    insightsId: telemetry.outputs.insightsId
    siteId: app.outputs.id
    jobsIdentityId: identities.outputs.jobsId
    endpointsIdentityId: identities.outputs.endpointsId
    registryIds: filter(map(split(registryIds, ','), part => trim(part)), part => !empty(part))
    eventTopicIds: filter(map(split(eventTopicIds, ','), part => trim(part)), part => !empty(part))
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'tuneops-alerts-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    prefix: 'tuneops-${environmentName}'
    insightsId: telemetry.outputs.insightsId
    workspaceId: training.outputs.id
    endpoints: filter(map(split(alertEndpoints, ','), part => trim(part)), part => !empty(part))
    systemTopicIds: [
      storageTopic.outputs.id
      workspaceTopic.outputs.id
    ]
    mailReceivers: filter(map(split(alertMails, ','), part => trim(part)), part => !empty(part))
    actionGroupIds: filter(map(split(actionGroupIds, ','), part => trim(part)), part => !empty(part))
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'tuneops-workbook-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    insightsId: telemetry.outputs.insightsId
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_TENANT_ID string = tenant().tenantId
output INFRA_APP_NAME string = app.outputs.name
output INFRA_APP_ID string = app.outputs.id
output TUNEOPS_URL string = app.outputs.url
output INFRA_VAULT_NAME string = secrets.outputs.name
output INFRA_VAULT_SETTINGS string = join(vaultSettings, ',')
output TUNEOPS_STORAGE_ACCOUNT_URL string = data.outputs.blobEndpoint
output INFRA_STORAGE_ACCOUNT_ID string = data.outputs.id
output TUNEOPS_DATASETS_CONTAINER string = datasetsContainer
output INFRA_DEAD_LETTER_CONTAINER string = deadLetterContainer
output INFRA_STORAGE_TOPIC_ID string = storageTopic.outputs.id
output INFRA_WORKSPACE_TOPIC_ID string = workspaceTopic.outputs.id
output INFRA_WORKSPACE_ID string = training.outputs.id
output INFRA_JOBS_IDENTITY_ID string = identities.outputs.jobsId
output INFRA_JOBS_IDENTITY_CLIENT_ID string = identities.outputs.jobsClientId
output INFRA_ENDPOINTS_IDENTITY_ID string = identities.outputs.endpointsId
