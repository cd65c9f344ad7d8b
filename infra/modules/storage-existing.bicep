// A storage account that is there already; it is not changed.

param name string

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: name
}

output id string = account.id
output name string = account.name
output location string = account.location
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
