# comboi on Azure: a function app that a timer wakes, its queue, a data lake, a vault for secrets of sources, and alerts.
# One identity does everything; no account key is needed anywhere.

data "azurerm_client_config" "current" {}

locals {
  name = "${var.prefix}-comboi-${var.environment}"

  # Names of storage accounts, vaults and function apps are taken worldwide: five characters of our own keep them apart.
  unique   = substr(sha1("${var.subscription_id}/${local.name}"), 0, 5)
  app_name = "${local.name}-${local.unique}"

  tags   = merge({ application = "comboi", environment = var.environment }, var.tags)
  stages = toset(["bronze", "silver", "gold"])
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${local.name}"
  location = var.location
  tags     = local.tags
}

# Who comboi is, wherever it runs: the function app and the job share it, so their rights can't differ.
resource "azurerm_user_assigned_identity" "app" {
  name                = "id-${local.name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}
