# Only with var.private_networking: a network of our own, in which storage and vault have addresses, and nowhere else.

locals {
  network_count = var.private_networking ? 1 : 0

  # Each endpoint with the zone in which its name is found.
  endpoints = {
    host_blob  = { target = azurerm_storage_account.host.id, part = "blob", zone = "privatelink.blob.core.windows.net" }
    host_queue = { target = azurerm_storage_account.host.id, part = "queue", zone = "privatelink.queue.core.windows.net" }
    lake_blob  = { target = azurerm_storage_account.lake.id, part = "blob", zone = "privatelink.blob.core.windows.net" }
    # comboi itself uses the blob endpoint; Spark and Fabric come this way.
    lake_dfs = { target = azurerm_storage_account.lake.id, part = "dfs", zone = "privatelink.dfs.core.windows.net" }
    vault    = { target = azurerm_key_vault.this.id, part = "vault", zone = "privatelink.vaultcore.azure.net" }
  }
  private_endpoints = { for name, endpoint in local.endpoints : name => endpoint if var.private_networking }
  zones             = toset([for endpoint in values(local.private_endpoints) : endpoint.zone])
}

resource "azurerm_virtual_network" "this" {
  #checkov:skip=CKV_AZURE_183:Azure's own resolver answers for the private zones.
  count = local.network_count

  name                = "vnet-${local.name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = [var.address_space]
  tags                = local.tags
}

# Nobody calls in: the rules that Azure puts in every group let in the network itself and deny the rest.
resource "azurerm_network_security_group" "this" {
  count = local.network_count

  name                = "nsg-${local.name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}

resource "azurerm_subnet" "functions" {
  count = local.network_count

  name                 = "functions"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[0].name
  address_prefixes     = [cidrsubnet(var.address_space, 26 - tonumber(split("/", var.address_space)[1]), 0)]

  delegation {
    name = "flex"

    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "jobs" {
  count = var.private_networking ? local.job_count : 0

  name                 = "jobs"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[0].name
  address_prefixes     = [cidrsubnet(var.address_space, 26 - tonumber(split("/", var.address_space)[1]), 1)]

  delegation {
    name = "jobs"

    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count = local.network_count

  name                              = "endpoints"
  resource_group_name               = azurerm_resource_group.this.name
  virtual_network_name              = azurerm_virtual_network.this[0].name
  address_prefixes                  = [cidrsubnet(var.address_space, 26 - tonumber(split("/", var.address_space)[1]), 2)]
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_subnet_network_security_group_association" "functions" {
  count = local.network_count

  subnet_id                 = azurerm_subnet.functions[0].id
  network_security_group_id = azurerm_network_security_group.this[0].id
}

resource "azurerm_subnet_network_security_group_association" "jobs" {
  count = var.private_networking ? local.job_count : 0

  subnet_id                 = azurerm_subnet.jobs[0].id
  network_security_group_id = azurerm_network_security_group.this[0].id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  count = local.network_count

  subnet_id                 = azurerm_subnet.endpoints[0].id
  network_security_group_id = azurerm_network_security_group.this[0].id
}

resource "azurerm_private_dns_zone" "this" {
  for_each = local.zones

  name                = each.key
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = local.zones

  name                  = "link-${local.name}"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.this[each.key].name
  virtual_network_id    = azurerm_virtual_network.this[0].id
  tags                  = local.tags
}

resource "azurerm_private_endpoint" "this" {
  for_each = local.private_endpoints

  name                = "pe-${local.name}-${replace(each.key, "_", "-")}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.target
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this[each.value.zone].id]
  }
}
