// Which events reach which function. Deployed after the code, by azd's postdeploy hook: Azure
// refuses a subscription to a function that is not there.

targetScope = 'subscription'

param appId string
param storageTopicId string
param workspaceTopicId string
param deadLetterAccountId string
param deadLetterContainer string
param datasetsContainer string

var storageTopicAt = split(storageTopicId, '/')
var workspaceTopicAt = split(workspaceTopicId, '/')
var suffix = uniqueString(appId)

// The other APIs of Storage announce a blob that is not whole yet.
module datasetUploaded 'modules/event-subscription.bicep' = {
  name: 'tuneops-dataset-uploaded-${suffix}'
  scope: resourceGroup(storageTopicAt[2], storageTopicAt[4])
  params: {
    topicName: last(storageTopicAt)
    name: 'dataset-uploaded-${suffix}'
    functionId: '${appId}/functions/on_dataset_uploaded'
    eventTypes: [
      'Microsoft.Storage.BlobCreated'
    ]
    subjectBeginsWith: '/blobServices/default/containers/${datasetsContainer}/blobs/'
    advancedFilters: [
      {
        operatorType: 'StringIn'
        key: 'data.api'
        values: [
          'CopyBlob'
          'FlushWithClose'
          'PutBlob'
          'PutBlockList'
        ]
      }
    ]
    deadLetterAccountId: deadLetterAccountId
    deadLetterContainer: deadLetterContainer
  }
}

// A job that is under way is looked at in its turn.
module jobEvent 'modules/event-subscription.bicep' = {
  name: 'tuneops-job-event-${suffix}'
  scope: resourceGroup(workspaceTopicAt[2], workspaceTopicAt[4])
  params: {
    topicName: last(workspaceTopicAt)
    name: 'job-event-${suffix}'
    functionId: '${appId}/functions/on_job_event'
    eventTypes: [
      'Microsoft.MachineLearningServices.RunCompleted'
      'Microsoft.MachineLearningServices.RunStatusChanged'
    ]
    subjectBeginsWith: ''
    advancedFilters: [
      {
        operatorType: 'StringNotIn'
        key: 'data.runStatus'
        values: [
          'Finalizing'
          'NotStarted'
          'Preparing'
          'Provisioning'
          'Queued'
          'Running'
          'Starting'
        ]
      }
    ]
    deadLetterAccountId: deadLetterAccountId
    deadLetterContainer: deadLetterContainer
  }
}
