# Logs, and the three things that somebody has to be told: work that was given up, data that is too old, and silence.

resource "azurerm_log_analytics_workspace" "this" {
  name                         = "log-${local.name}"
  resource_group_name          = azurerm_resource_group.this.name
  location                     = azurerm_resource_group.this.location
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = local.job_count == 1
  tags                         = local.tags
}

resource "azurerm_application_insights" "this" {
  name                          = "appi-${local.name}"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  workspace_id                  = azurerm_log_analytics_workspace.this.id
  application_type              = "other"
  local_authentication_disabled = true
  tags                          = local.tags
}

# Who read a secret, and who deleted from the lake.
resource "azurerm_monitor_diagnostic_setting" "vault" {
  name                       = "audit"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "AuditEvent"
  }
}

resource "azurerm_monitor_diagnostic_setting" "lake" {
  name                       = "audit"
  target_resource_id         = "${azurerm_storage_account.lake.id}/blobServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "StorageDelete"
  }
}

resource "azurerm_monitor_action_group" "this" {
  count = length(var.alert_emails) > 0 ? 1 : 0

  name                = "ag-${local.name}"
  resource_group_name = azurerm_resource_group.this.name
  short_name          = "comboi"
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = var.alert_emails

    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

# They ask the workspace, which has the function app's telemetry and the job's console. A table that is not there yet is no mistake.
locals {
  invocations = "union isfuzzy=true (datatable(AppRoleName: string, Name: string, Success: bool)[]), AppRequests | where AppRoleName =~ '${local.name}'"
  lines       = "union isfuzzy=true (datatable(Message: string, Log_s: string)[]), AppTraces, ContainerAppConsoleLogs_CL | extend Line = strcat(Message, Log_s)"

  alerts = {
    poison = {
      description = "A message failed five times. The poison function has tried to go on or has recorded the failure; `comboi status` tells which task it was."
      query       = "${local.invocations} | where Name =~ 'poison'"
      operator    = "GreaterThan"
      threshold   = 0
      every       = "PT15M"
      over        = "PT15M"
      severity    = 1
    }
    freshness = {
      description = "A dataset is older than the SLA in its contract allows. `comboi status` tells which; its readers keep the last good version."
      query       = "${local.lines} | where Line has 'is older than its SLA allows'"
      operator    = "GreaterThan"
      threshold   = 0
      every       = "PT15M"
      over        = "PT15M"
      severity    = 2
    }
    silence = {
      description = "The driver has not run well for ${var.silence_hours} hours: the function app does not start, its timer does not fire, or its configuration has mistakes."
      query       = "${local.invocations} | where Name =~ 'driver' and Success == true"
      operator    = "LessThan"
      threshold   = 1
      every       = "PT1H"
      over        = var.silence_hours < 24 ? "PT${var.silence_hours}H" : "P${var.silence_hours / 24}D"
      severity    = 1
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local.alerts

  name                    = "alert-${local.name}-${each.key}"
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  display_name            = "comboi ${var.environment}: ${each.key}"
  description             = each.value.description
  severity                = each.value.severity
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  evaluation_frequency    = each.value.every
  window_duration         = each.value.over
  auto_mitigation_enabled = true
  # The tables come with the first telemetry, and the query is held to them from then on.
  skip_query_validation = true
  tags                  = local.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = each.value.operator
    threshold               = each.value.threshold
  }

  dynamic "action" {
    for_each = azurerm_monitor_action_group.this[*].id

    content {
      action_groups = [action.value]
    }
  }
}
