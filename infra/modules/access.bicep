// Who may do what: the roles of roles.json, which follow from the calls that the code makes, and
// those of other-roles.json, which follow from how this is set up. Azure shows the reason beside each.

targetScope = 'subscription'

param suffix string

@description('Principal ids by identity, a list for each: app, job, endpoint, eventTopic, deployer, people.')
param principals object

@description('What kind of principal `people` are.')
@allowed([
  'Group'
  'ServicePrincipal'
  'User'
])
param peopleType string

@description('Whether custom roles are made; else those of builtin-roles.json take their place, which allow more.')
param customRoles bool

@description('Names of roles of roles.json that nobody gets.')
param leftOut array

param storageId string
param datasetsContainer string
param preparedContainer string
param deadLetterContainer string
param workspaceId string
param workspaceStorageId string

@description('Empty: the workspace has none yet.')
param containerRegistryId string

param vaultId string
param insightsId string
param siteId string
param jobsIdentityId string
param endpointsIdentityId string

@description('Azure ML registries of your own.')
param registryIds array

@description('Event Grid topics of your own, which a channel sends to.')
param eventTopicIds array

var documented = loadJsonContent('../roles.json')
var instead = loadJsonContent('../builtin-roles.json')
var wanted = filter(concat(documented.assignments, loadJsonContent('../other-roles.json')), role => !contains(leftOut, role.role))
var roles = flatten(map(wanted, role => empty(role.id) && !customRoles ? map(any(instead)[role.role], other => union(role, other)) : [
  role
]))
var made = customRoles ? filter(documented.customRoles, role => !contains(leftOut, role.name)) : []
var grants = flatten(map(roles, role => map(principals[role.identity], principal => {
  principalId: principal
  principalType: role.identity == 'people' ? peopleType : 'ServicePrincipal'
  role: role.role
  id: role.id
  scope: role.scope
  why: role.why
})))

var ofWorkspaceOrGroup = map(filter(documented.assignments, role => role.custom && (role.scope == 'workspace' || role.scope == 'resourceGroup')), role => role.role)
var ofGroupAlone = map(filter(documented.assignments, role => role.custom && role.scope == 'resourceGroup'), role => role.role)
var ofSubscriptionAlone = map(filter(documented.assignments, role => role.custom && role.scope == 'subscription'), role => role.role)
var ofRegistryAlone = map(filter(documented.assignments, role => role.custom && role.scope == 'registry'), role => role.role)

var storageAt = split(storageId, '/')
var workspaceAt = split(workspaceId, '/')
var workspaceStorageAt = split(workspaceStorageId, '/')
var vaultAt = split(vaultId, '/')
var insightsAt = split(insightsId, '/')
var siteAt = split(siteId, '/')
var imagesAt = split(empty(containerRegistryId) ? workspaceId : containerRegistryId, '/')
var apart = toLower('${storageAt[2]}/${storageAt[4]}') != toLower('${workspaceAt[2]}/${workspaceAt[4]}')

module onSubscription 'grant-subscription.bicep' = {
  name: 'tuneops-roles-subscription-${suffix}'
  scope: subscription(workspaceAt[2])
  params: {
    suffix: suffix
    customRoles: filter(made, role => contains(ofSubscriptionAlone, role.name))
    grants: filter(grants, grant => grant.scope == 'subscription')
  }
}

module onWorkspace 'grant-workspace.bicep' = {
  name: 'tuneops-roles-workspace-${suffix}'
  scope: resourceGroup(workspaceAt[2], workspaceAt[4])
  params: {
    workspaceName: workspaceAt[8]
    suffix: suffix
    customRoles: filter(made, role => contains(ofWorkspaceOrGroup, role.name))
    groupGrants: filter(grants, grant => grant.scope == 'resourceGroup')
    grants: filter(grants, grant => grant.scope == 'workspace')
  }
}

// The doctor looks at the system topic of the storage account, which lies beside it.
module onStorageGroup 'grant-group.bicep' = if (apart) {
  name: 'tuneops-roles-group-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    suffix: suffix
    customRoles: filter(made, role => contains(ofGroupAlone, role.name))
    grants: filter(grants, grant => grant.scope == 'resourceGroup')
  }
}

module onStorage 'grant-storage.bicep' = {
  name: 'tuneops-roles-storage-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    accountName: storageAt[8]
    grants: filter(grants, grant => grant.scope == 'storage')
  }
}

module onDatasets 'grant-container.bicep' = {
  name: 'tuneops-roles-datasets-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    accountName: storageAt[8]
    containerName: datasetsContainer
    grants: filter(grants, grant => grant.scope == 'datasets')
  }
}

module onPrepared 'grant-container.bicep' = {
  name: 'tuneops-roles-prepared-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    accountName: storageAt[8]
    containerName: preparedContainer
    grants: filter(grants, grant => grant.scope == 'prepared')
  }
}

module onDeadLetters 'grant-container.bicep' = {
  name: 'tuneops-roles-dead-letters-${suffix}'
  scope: resourceGroup(storageAt[2], storageAt[4])
  params: {
    accountName: storageAt[8]
    containerName: deadLetterContainer
    grants: filter(grants, grant => grant.scope == 'deadLetters')
  }
}

module onWorkspaceStorage 'grant-storage.bicep' = {
  name: 'tuneops-roles-workspace-storage-${suffix}'
  scope: resourceGroup(workspaceStorageAt[2], workspaceStorageAt[4])
  params: {
    accountName: workspaceStorageAt[8]
    grants: filter(grants, grant => grant.scope == 'workspaceStorage')
  }
}

module onImages 'grant-container-registry.bicep' = if (!empty(containerRegistryId)) {
  name: 'tuneops-roles-images-${suffix}'
  scope: resourceGroup(imagesAt[2], imagesAt[4])
  params: {
    registryName: imagesAt[8]
    grants: filter(grants, grant => grant.scope == 'containerRegistry')
  }
}

module onVault 'grant-vault.bicep' = {
  name: 'tuneops-roles-vault-${suffix}'
  scope: resourceGroup(vaultAt[2], vaultAt[4])
  params: {
    vaultName: vaultAt[8]
    grants: filter(grants, grant => grant.scope == 'vault')
  }
}

module onInsights 'grant-insights.bicep' = {
  name: 'tuneops-roles-insights-${suffix}'
  scope: resourceGroup(insightsAt[2], insightsAt[4])
  params: {
    insightsName: insightsAt[8]
    grants: filter(grants, grant => grant.scope == 'insights')
  }
}

module onSite 'grant-site.bicep' = {
  name: 'tuneops-roles-site-${suffix}'
  scope: resourceGroup(siteAt[2], siteAt[4])
  params: {
    siteName: siteAt[8]
    grants: filter(grants, grant => grant.scope == 'functionApp')
  }
}

module onIdentities 'grant-identity.bicep' = [for id in [
  jobsIdentityId
  endpointsIdentityId
]: {
  name: 'tuneops-roles-${last(split(id, '/'))}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    identityName: last(split(id, '/'))
    grants: filter(grants, grant => grant.scope == 'endpointIdentity')
  }
}]

module onRegistries 'grant-registry.bicep' = [for id in registryIds: {
  name: 'tuneops-roles-registry-${uniqueString(id, suffix)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    registryName: last(split(id, '/'))
    suffix: suffix
    customRoles: filter(made, role => contains(ofRegistryAlone, role.name))
    grants: filter(grants, grant => grant.scope == 'registry')
  }
}]

module onEventTopics 'grant-event-topic.bicep' = [for id in eventTopicIds: {
  name: 'tuneops-roles-topic-${uniqueString(id, suffix)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    topicName: last(split(id, '/'))
    grants: filter(grants, grant => grant.scope == 'eventTopic')
  }
}]
