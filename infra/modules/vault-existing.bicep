// A Key Vault that is there already; it is not changed.

param name string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: name
}

output name string = vault.name
output uri string = vault.properties.vaultUri
