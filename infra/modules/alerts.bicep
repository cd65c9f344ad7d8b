// What people are called for. Each rule names its runbook; docs/operations.md has the table.

param location string
param tags object

@description('Begins the name of each rule.')
param prefix string

@description('Application Insights of the function app, which no other app shares.')
param insightsId string

@description('Azure ML workspace with the endpoints.')
param workspaceId string

@description('Names of endpoints, which have to be there, whose failed answers raise an alert: Azure Monitor has no rule for all of a workspace.')
param endpoints array = []

@description('Event Grid system topics whose undelivered events raise an alert.')
param systemTopicIds array = []

@description('Who gets mails: a list of addresses.')
param mailReceivers array = []

@description('Where alerts are posted to, in the common alert schema, as a pager takes them; the address is a secret.')
@secure()
param webhookReceiver string = ''

@description('Action groups that exist, beside the one of these receivers.')
param actionGroupIds array = []

@description('Where the runbooks are read.')
param runbooks string = 'docs/runbooks.md'

param enabled bool = true

@description('Releases that fail within 15 minutes, of one project.')
@minValue(0)
param failedReleases int = 0

@description('Messages on a poison queue.')
@minValue(0)
param poisonMessages int = 0

@description('Seconds that a look may be late.')
@minValue(60)
param lagSeconds int = 900

@description('Messages that one channel does not take within an hour.')
@minValue(0)
param failedDeliveries int = 10

@description('Calls that one service puts off within 15 minutes.')
@minValue(0)
param throttledCalls int = 50

@description('Errors of one function within 15 minutes.')
@minValue(0)
param functionErrors int = 5

@description('Minutes without a tick of the timer that looks at everything.')
@allowed([
  15
  30
  60
  120
])
param silentMinutes int = 30

@description('Failed answers of an endpoint in a minute, on average over five.')
@minValue(0)
param failedAnswers int = 1

var windows = {
  '15': 'PT15M'
  '30': 'PT30M'
  '60': 'PT1H'
  '120': 'PT2H'
}

var logRules = [
  {
    name: 'release-failed'
    title: 'A release has failed'
    runbook: 'a-release-has-failed'
    severity: 2
    query: loadTextContent('queries/release-failed.kql')
    column: 'failed'
    dimension: 'projectName'
    operator: 'GreaterThan'
    threshold: failedReleases
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'poison-messages'
    title: 'Messages were given up'
    runbook: 'messages-were-given-up'
    severity: 1
    query: loadTextContent('queries/poison-messages.kql')
    column: 'messages'
    dimension: 'queue'
    operator: 'GreaterThan'
    threshold: poisonMessages
    frequency: 'PT5M'
    window: 'PT30M'
  }
  {
    name: 'reconcile-lag'
    title: 'Projects wait for their look'
    runbook: 'projects-wait-for-their-look'
    severity: 2
    query: loadTextContent('queries/reconcile-lag.kql')
    column: 'seconds'
    dimension: ''
    operator: 'GreaterThan'
    threshold: lagSeconds
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'deliveries-failing'
    title: 'A channel takes no messages'
    runbook: 'a-channel-takes-no-messages'
    severity: 3
    query: loadTextContent('queries/deliveries-failing.kql')
    column: 'failed'
    dimension: 'channel'
    operator: 'GreaterThan'
    threshold: failedDeliveries
    frequency: 'PT15M'
    window: 'PT1H'
  }
  {
    name: 'azure-throttling'
    title: 'Azure or GitHub puts calls off'
    runbook: 'azure-or-github-puts-calls-off'
    severity: 3
    query: loadTextContent('queries/azure-throttling.kql')
    column: 'throttled'
    dimension: 'service'
    operator: 'GreaterThan'
    threshold: throttledCalls
    frequency: 'PT15M'
    window: 'PT15M'
  }
  {
    name: 'no-heartbeat'
    title: 'The timer has stopped'
    runbook: 'the-timer-has-stopped'
    severity: 1
    query: loadTextContent('queries/no-heartbeat.kql')
    column: 'ticks'
    dimension: ''
    operator: 'LessThan'
    threshold: 1
    frequency: 'PT5M'
    window: windows[string(silentMinutes)]
  }
  {
    name: 'function-errors'
    title: 'A function raises errors'
    runbook: 'a-function-raises-errors'
    severity: 2
    query: loadTextContent('queries/function-errors.kql')
    column: 'errors'
    dimension: 'operation'
    operator: 'GreaterThan'
    threshold: functionErrors
    frequency: 'PT5M'
    window: 'PT15M'
  }
]

// Each topic has a rule for each: an event that is dropped could not be dead-lettered either.
var eventMetrics = [
  'DeadLetteredCount'
  'DroppedEventCount'
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(mailReceivers) || !empty(webhookReceiver)) {
  name: '${prefix}-people'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'tuneops'
    emailReceivers: [for (address, index) in mailReceivers: {
      name: 'mail-${index}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
    webhookReceivers: empty(webhookReceiver) ? [] : [
      {
        name: 'webhook'
        serviceUri: webhookReceiver
        useCommonAlertSchema: true
      }
    ]
  }
}

var told = concat(actionGroupIds, !empty(mailReceivers) || !empty(webhookReceiver) ? [
  people.id
] : [])

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in logRules: {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'TuneOps: ${rule.title}'
    description: 'What to do: ${runbooks}#${rule.runbook}'
    severity: rule.severity
    enabled: enabled
    scopes: [
      insightsId
    ]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    autoMitigate: true
    // The tables are there once the app has sent something.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.column
          timeAggregation: 'Maximum'
          operator: rule.operator
          threshold: rule.threshold
          dimensions: empty(rule.dimension) ? [] : [
            {
              name: rule.dimension
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: told
      customProperties: {
        runbook: '${runbooks}#${rule.runbook}'
      }
    }
  }
}]

// 424 is what Azure ML answers when the container has failed or has not answered in time.
resource endpointAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for endpoint in endpoints: {
  name: '${prefix}-endpoint-fails-${endpoint}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The endpoint ${endpoint} fails. What to do: ${runbooks}#an-endpoint-fails'
    severity: 1
    enabled: enabled
    scopes: [
      '${workspaceId}/onlineEndpoints/${endpoint}'
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    autoMitigate: true
    targetResourceType: 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'failed-answers'
          metricNamespace: 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints'
          metricName: 'RequestsPerMinute'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: failedAnswers
          dimensions: [
            {
              name: 'statusCode'
              operator: 'Include'
              values: [
                '424'
                '500'
                '502'
                '503'
                '504'
              ]
            }
            {
              name: 'deployment'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          // An endpoint that had no requests has no metric; the endpoint itself has to be there.
          skipMetricValidation: true
        }
      ]
    }
    actions: [for group in told: {
      actionGroupId: group
    }]
  }
}]

resource eventAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for index in range(0, 2 * length(systemTopicIds)): {
  name: '${prefix}-${eventMetrics[index % 2]}-${last(split(systemTopicIds[index / 2], '/'))}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Events could not be delivered. What to do: ${runbooks}#events-are-lost'
    severity: 2
    enabled: enabled
    scopes: [
      systemTopicIds[index / 2]
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    targetResourceType: 'Microsoft.EventGrid/systemTopics'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'undelivered'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          metricName: eventMetrics[index % 2]
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
          skipMetricValidation: true
        }
      ]
    }
    actions: [for group in told: {
      actionGroupId: group
    }]
  }
}]

output ruleNames array = [for rule in logRules: '${prefix}-${rule.name}']
