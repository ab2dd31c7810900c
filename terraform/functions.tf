# The function app: driver (timer), executor (queue) and poison (poison queue), all of them one program.

locals {
  # What the program asks for, wherever it runs.
  program_settings = merge(
    {
      COMBOI_CONFIG                            = var.config_path
      COMBOI_QUEUE_NAME                        = azurerm_storage_queue.tasks.name
      COMBOI_QUEUE_CONNECTION__queueServiceUri = azurerm_storage_account.host.primary_queue_endpoint
      COMBOI_QUEUE_CONNECTION__credential      = "managedidentity"
      COMBOI_QUEUE_CONNECTION__clientId        = azurerm_user_assigned_identity.app.client_id
      AZURE_CLIENT_ID                          = azurerm_user_assigned_identity.app.client_id
      DATA_LAKE_ACCOUNT_NAME                   = azurerm_storage_account.lake.name
      KEY_VAULT_URL                            = azurerm_key_vault.this.vault_uri
    },
    var.app_settings,
  )

  # What the Functions host asks for on top. `clientId` names the identity: an app may have several.
  function_settings = merge(local.program_settings, {
    COMBOI_TIMER_SCHEDULE                     = var.schedule
    AzureWebJobsStorage__accountName          = azurerm_storage_account.host.name
    AzureWebJobsStorage__credential           = "managedidentity"
    AzureWebJobsStorage__clientId             = azurerm_user_assigned_identity.app.client_id
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"
  })
}

resource "azurerm_service_plan" "this" {
  #checkov:skip=CKV_AZURE_211:Flex Consumption is what a job that sleeps most of the day is made for.
  #checkov:skip=CKV_AZURE_212:Flex Consumption makes instances when there is work.
  #checkov:skip=CKV_AZURE_225:Flex Consumption balances zones by always-ready instances, and this app has none: a lost zone costs a repeated message.
  name                = "asp-${local.name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = local.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  name                = local.app_name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  service_plan_id     = azurerm_service_plan.this.id

  runtime_name           = "custom"
  runtime_version        = "1.0"
  instance_memory_in_mb  = var.instance_memory_mb
  maximum_instance_count = var.maximum_instances

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.package.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.app.id

  # No function of ours answers HTTP. What is open is the deployment's door, and that asks for Entra ID.
  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = one(azurerm_subnet.functions[*].id)

  app_settings = local.function_settings
  tags         = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  site_config {
    minimum_tls_version                    = "1.2"
    application_insights_connection_string = azurerm_application_insights.this.connection_string
  }

  depends_on = [azurerm_role_assignment.app]
}

# azurerm puts an AzureWebJobsStorage without a key among the settings although storage is reached by identity, and the host
# takes that one first: hashicorp/terraform-provider-azurerm issues 29149, 29693 and 30732, open in version 4.55.0 and after.
# So the settings are written once more, without it, whenever the app has changed.
resource "azapi_update_resource" "app_settings" {
  type      = "Microsoft.Web/sites/config@2023-12-01"
  name      = "appsettings"
  parent_id = azurerm_function_app_flex_consumption.this.id

  body = {
    properties = merge(local.function_settings, {
      APPLICATIONINSIGHTS_CONNECTION_STRING = azurerm_application_insights.this.connection_string
    })
  }

  lifecycle {
    replace_triggered_by = [azurerm_function_app_flex_consumption.this]
  }
}
