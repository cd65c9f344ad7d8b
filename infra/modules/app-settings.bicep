// Every app setting: those of the host, and those of TuneOps. No resource, so that `app` has them
// as a parameter.

param storageBlobEndpoint string
param storageQueueEndpoint string
param storageTableEndpoint string
param identityClientId string
param insightsConnectionString string
param vaultUri string

@description('App settings whose values are secrets of the vault.')
param vaultSettings array

param subscriptionId string
param resourceGroupName string
param workspaceName string
param datasetsContainer string

@description('Empty where TUNEOPS_SOURCES says it.')
param githubRepository string

param githubBranch string
param configFiles string
param githubApiUrl string
param githubAppId string
param githubInstallationId string
param pageUrl string
param pageReaderRole string
param resyncSchedule string
param sweepSchedule string
param summarySchedule string

@minValue(1)
param workerThreads int

@description('Whether people sign in with Entra ID, which the identity vouches for in place of a secret.')
param signIn bool

@description('NAME=value, one setting each.')
param moreSettings array

var host = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsDisableHomepage: 'true'
  AzureWebJobsStorage__blobServiceUri: storageBlobEndpoint
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__queueServiceUri: storageQueueEndpoint
  AzureWebJobsStorage__tableServiceUri: storageTableEndpoint
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  PYTHON_THREADPOOL_THREAD_COUNT: string(workerThreads)
}

var tuneops = {
  TUNEOPS_CLOUD: environment().name
  TUNEOPS_DATASETS_CONTAINER: datasetsContainer
  TUNEOPS_GITHUB_API_URL: githubApiUrl
  TUNEOPS_GITHUB_APP_ID: githubAppId
  TUNEOPS_GITHUB_INSTALLATION_ID: githubInstallationId
  TUNEOPS_PAGE_READER_ROLE: pageReaderRole
  TUNEOPS_PAGE_URL: pageUrl
  TUNEOPS_RESOURCE_GROUP: resourceGroupName
  TUNEOPS_RESYNC_SCHEDULE: resyncSchedule
  TUNEOPS_SUBSCRIPTION_ID: subscriptionId
  TUNEOPS_SUMMARY_SCHEDULE: summarySchedule
  TUNEOPS_SWEEP_SCHEDULE: sweepSchedule
  TUNEOPS_WORKSPACE: workspaceName
}

var oneRepository = empty(githubRepository) ? {} : {
  TUNEOPS_CONFIG_FILES: configFiles
  TUNEOPS_GITHUB_BRANCH: githubBranch
  TUNEOPS_GITHUB_REPOSITORY: githubRepository
}

var signingIn = signIn ? {
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
  WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
} : {}

var references = toObject(vaultSettings, name => name, name => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${toLower(replace(name, '_', '-'))})')
var more = toObject(moreSettings, text => substring(text, 0, indexOf(text, '=')), text => substring(text, indexOf(text, '=') + 1))

output settings object = union(host, tuneops, oneRepository, signingIn, references, more)
