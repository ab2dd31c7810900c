# Passwords of sources. comboi reads them with its identity when it connects, so a password that is changed here is
# picked up without deploying anything.

resource "azurerm_key_vault" "this" {
  #checkov:skip=CKV_AZURE_109:Reached by identity and role only; var.private_networking denies everyone outside of the network.
  #checkov:skip=CKV_AZURE_189:var.private_networking closes it to the internet.
  #checkov:skip=CKV2_AZURE_32:var.private_networking makes the endpoint.
  name                          = "kv${var.prefix}${var.environment}${local.unique}"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = !var.private_networking
  tags                          = local.tags

  network_acls {
    default_action = var.private_networking ? "Deny" : "Allow"
    bypass         = "AzureServices"
  }
}

# A vault learns of a role some minutes after it was given, and refuses who has it until then.
resource "time_sleep" "deployer_secrets" {
  count = length(azurerm_role_assignment.deployer_secrets)

  create_duration = "5m"
  triggers        = { role = azurerm_role_assignment.deployer_secrets[0].id }
}

# azure-sql-password, postgres-password, and whatever else the configuration names with {{keyvault:…}}.
resource "azurerm_key_vault_secret" "source" {
  #checkov:skip=CKV_AZURE_41:A password ends when its database says so; a date here would stop the pipeline without protecting anything.
  for_each = var.secrets

  name             = each.key
  key_vault_id     = azurerm_key_vault.this.id
  value_wo         = var.secret_values[each.key]
  value_wo_version = each.value
  content_type     = "password"
  tags             = local.tags

  depends_on = [time_sleep.deployer_secrets]
}

resource "azurerm_key_vault_secret" "adls_storage_key" {
  #checkov:skip=CKV_AZURE_41:An account key ends when it is rotated, not on a date.
  count = var.shared_keys ? 1 : 0

  name         = "adls-storage-key"
  key_vault_id = azurerm_key_vault.this.id
  value        = azurerm_storage_account.lake.primary_access_key
  content_type = "account key"
  tags         = local.tags

  depends_on = [time_sleep.deployer_secrets]
}

resource "azurerm_key_vault_secret" "queue_connection_string" {
  #checkov:skip=CKV_AZURE_41:An account key ends when it is rotated, not on a date.
  count = var.shared_keys ? 1 : 0

  name         = "queue-connection-string"
  key_vault_id = azurerm_key_vault.this.id
  value        = azurerm_storage_account.host.primary_connection_string
  content_type = "connection string"
  tags         = local.tags

  depends_on = [time_sleep.deployer_secrets]
}
