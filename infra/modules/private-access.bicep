// Private networking: the network, and private endpoints of what was created here.

param location string
param tags object
param suffix string
param addressPrefix string

@description('What gets private endpoints: {name, id, part}.')
param services array

var learningZones = {
  AzureCloud: [
    'privatelink.api.azureml.ms'
    'privatelink.notebooks.azure.net'
  ]
  AzureChinaCloud: [
    'privatelink.api.ml.azure.cn'
    'privatelink.notebooks.chinacloudapi.cn'
  ]
  AzureUSGovernment: [
    'privatelink.api.ml.azure.us'
    'privatelink.notebooks.usgovcloudapi.net'
  ]
}

var zonesOf = {
  blob: [
    'privatelink.blob.${environment().suffixes.storage}'
  ]
  file: [
    'privatelink.file.${environment().suffixes.storage}'
  ]
  queue: [
    'privatelink.queue.${environment().suffixes.storage}'
  ]
  table: [
    'privatelink.table.${environment().suffixes.storage}'
  ]
  vault: [
    'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
  ]
  registry: [
    'privatelink${environment().suffixes.acrLoginServer}'
  ]
  amlworkspace: learningZones[environment().name]
}

module network 'network.bicep' = {
  name: 'tuneops-network-${suffix}'
  params: {
    location: location
    tags: tags
    suffix: suffix
    addressPrefix: addressPrefix
    zones: flatten(map(items(zonesOf), zones => zones.value))
  }
}

module endpoint 'private-endpoint.bicep' = [for service in services: {
  name: 'tuneops-private-${service.name}-${suffix}'
  params: {
    name: 'pep-${service.name}-${suffix}'
    location: location
    tags: tags
    subnetId: network.outputs.endpointsSubnetId
    serviceId: service.id
    part: service.part
    zones: zonesOf[service.part]
  }
}]

output appSubnetId string = network.outputs.appSubnetId
