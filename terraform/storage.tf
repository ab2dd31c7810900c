# Two accounts: one belongs to the function app (its package, its locks, the queue), one is the lake. What happens to one,
# a key that leaks or a rule that is set wrongly, does not happen to the other.

resource "azurerm_storage_account" "host" {
  #checkov:skip=CKV_AZURE_33:The log of queue requests that this asks for is the classic one, which needs account keys. Failed work is seen in Application Insights and in the poison queue.
  #checkov:skip=CKV_AZURE_59:Reached by identity only; var.private_networking closes it to the internet.
  #checkov:skip=CKV_AZURE_35:Function apps without a network of their own have no addresses to allow; var.private_networking denies everyone else.
  #checkov:skip=CKV_AZURE_206:var.replication decides; the default ZRS outlives a data centre, and nothing here is needed elsewhere.
  #checkov:skip=CKV2_AZURE_1:Encrypted with Microsoft's keys. Packages and locks, no data, are in this account.
  #checkov:skip=CKV2_AZURE_33:var.private_networking makes the endpoints.
  #checkov:skip=CKV2_AZURE_40:Account keys are off unless var.shared_keys asks for them.
  name                             = "st${var.prefix}${var.environment}fn${local.unique}"
  resource_group_name              = azurerm_resource_group.this.name
  location                         = azurerm_resource_group.this.location
  account_tier                     = "Standard"
  account_replication_type         = var.replication
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = var.shared_keys
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false
  public_network_access_enabled    = !var.private_networking
  tags                             = local.tags

  network_rules {
    default_action = var.private_networking ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
  }

  sas_policy {
    expiration_period = "01.00:00:00"
  }

  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "package" {
  #checkov:skip=CKV2_AZURE_21:The package that is read here is in the log of deployments.
  name                  = "app-package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

resource "azurerm_storage_queue" "tasks" {
  name               = "comboi-tasks"
  storage_account_id = azurerm_storage_account.host.id
}

# The host would make it with the first poison message; it is here so that the poison function has what it listens to.
resource "azurerm_storage_queue" "poison" {
  name               = "${azurerm_storage_queue.tasks.name}-poison"
  storage_account_id = azurerm_storage_account.host.id
}

resource "azurerm_storage_account" "lake" {
  #checkov:skip=CKV_AZURE_33:There are no queues in it.
  #checkov:skip=CKV_AZURE_59:Reached by identity only; var.private_networking closes it to the internet.
  #checkov:skip=CKV_AZURE_35:Function apps without a network of their own have no addresses to allow; var.private_networking denies everyone else.
  #checkov:skip=CKV_AZURE_206:var.replication decides; the default ZRS outlives a data centre. GZRS outlives a region, for twice the price.
  #checkov:skip=CKV2_AZURE_1:Encrypted with Microsoft's keys. Keys of your own need a vault that outlives this module.
  #checkov:skip=CKV2_AZURE_33:var.private_networking makes the endpoints.
  #checkov:skip=CKV2_AZURE_40:Account keys are off unless var.shared_keys asks for them.
  name                             = "st${var.prefix}${var.environment}dl${local.unique}"
  resource_group_name              = azurerm_resource_group.this.name
  location                         = azurerm_resource_group.this.location
  account_tier                     = "Standard"
  account_replication_type         = var.replication
  is_hns_enabled                   = true
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = var.shared_keys
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false
  public_network_access_enabled    = !var.private_networking
  tags                             = local.tags

  network_rules {
    default_action = var.private_networking ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
  }

  sas_policy {
    expiration_period = "01.00:00:00"
  }

  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 30
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "stage" {
  #checkov:skip=CKV2_AZURE_21:Who deletes is in the log of monitoring.tf; each read of a lake would cost more than the lake.
  for_each = local.stages

  name                  = each.key
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}
