# The least that works, each with its reason.

locals {
  # What comboi itself may do.
  app_roles = merge(
    {
      # AzureWebJobsStorage: the host's locks, the timer's state, and the package.
      host_blobs = { scope = azurerm_storage_account.host.id, role = "Storage Blob Data Owner" }
      # Taking, renewing and returning messages, and sending the next. Reader plus Message Processor can't renew or send.
      host_queues = { scope = azurerm_storage_account.host.id, role = "Storage Queue Data Contributor" }
      secrets     = { scope = azurerm_key_vault.this.id, role = "Key Vault Secrets User" }
      telemetry   = { scope = azurerm_application_insights.this.id, role = "Monitoring Metrics Publisher" }
    },
    { for stage in local.stages : "lake_${stage}" => { scope = azurerm_storage_container.stage[stage].id, role = "Storage Blob Data Contributor" } },
    { for registry in local.job_registries : "pull" => { scope = registry.id, role = "AcrPull" } },
  )

  # What those who start and mend runs may do.
  operator_roles = merge(
    {
      # Beginning runs, and for `comboi doctor` to see that there is a queue.
      queue      = { scope = azurerm_storage_account.host.id, role = "Storage Queue Data Message Sender" }
      queue_read = { scope = azurerm_storage_account.host.id, role = "Storage Queue Data Reader" }
      secrets    = { scope = azurerm_key_vault.this.id, role = "Key Vault Secrets User" }
    },
    { for stage in local.stages : "lake_${stage}" => { scope = azurerm_storage_container.stage[stage].id, role = "Storage Blob Data Contributor" } },
  )

  operator_assignments = {
    for pair in setproduct(var.operators, keys(local.operator_roles)) : "${pair[0]}/${pair[1]}" => { principal = pair[0], role = pair[1] }
  }
}

resource "azurerm_role_assignment" "app" {
  for_each = local.app_roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "operator" {
  for_each = local.operator_assignments

  scope                = local.operator_roles[each.value.role].scope
  role_definition_name = local.operator_roles[each.value.role].role
  principal_id         = each.value.principal
}

# Whoever runs Terraform writes the secrets, if it is to write any.
resource "azurerm_role_assignment" "deployer_secrets" {
  count = length(var.secrets) > 0 || var.shared_keys ? 1 : 0

  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}
