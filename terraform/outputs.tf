output "resource_group_name" {
  description = "Where everything is."
  value       = azurerm_resource_group.this.name
}

output "function_app_name" {
  description = "What scripts/deploy publishes to."
  value       = azurerm_function_app_flex_consumption.this.name
}

output "data_lake_account_name" {
  description = "DATA_LAKE_ACCOUNT_NAME for the command line."
  value       = azurerm_storage_account.lake.name
}

output "key_vault_url" {
  description = "KEY_VAULT_URL for the command line."
  value       = azurerm_key_vault.this.vault_uri
}

output "key_vault_name" {
  description = "For az keyvault secret set."
  value       = azurerm_key_vault.this.name
}

output "queue_service_url" {
  description = "COMBOI_QUEUE_CONNECTION__queueServiceUri for the command line, which comboi trigger sends to."
  value       = azurerm_storage_account.host.primary_queue_endpoint
}

output "queue_name" {
  description = "COMBOI_QUEUE_NAME for the command line."
  value       = azurerm_storage_queue.tasks.name
}

output "identity_principal_id" {
  description = "The object id of comboi's identity: for rights in databases, CREATE USER … FROM EXTERNAL PROVIDER for example."
  value       = azurerm_user_assigned_identity.app.principal_id
}

output "identity_name" {
  description = "The name of comboi's identity, which databases with Entra logins know it by."
  value       = azurerm_user_assigned_identity.app.name
}

output "job_name" {
  description = "The Container Apps job, if there is one: az containerapp job start --name …"
  value       = one(azurerm_container_app_job.this[*].name)
}
