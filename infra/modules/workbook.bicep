// What TuneOps does, on one page of Azure Monitor: workbook.json, shown at Application Insights.

param location string
param tags object

@description('Application Insights of the function app.')
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(insightsId, 'tuneops')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'TuneOps'
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: insightsId
    serializedData: loadTextContent('workbook.json')
  }
}

output workbookId string = workbook.id
