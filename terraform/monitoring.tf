# Logs, and the alerts: for each way in which data can be missing, one that rings. docs/deploy.md has the table.

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

# What each alert looks for is in alerts/: events and fields of the program's log, and invocations that failed. scripts/check-alerts runs these
# queries over logs that the program wrote. An alert on what is there looks back further than it is asked often, so that lines which come late
# are seen; one on what is not there rings over an empty log too.
locals {
  silence_window     = [for hours in [1, 2, 3, 4, 5, 6, 24, 48] : hours if hours >= var.silence_hours][0]
  job_silence_hours  = try(var.job.schedule != null ? var.job.silence_hours : 0, 0)
  job_silence_window = [for hours in [1, 2, 3, 4, 5, 6, 24, 48] : hours if hours >= local.job_silence_hours][0]

  query_values = {
    app               = local.app_name
    backlog_minutes   = var.backlog_minutes
    backlog_messages  = var.backlog_messages
    silence_hours     = var.silence_hours
    job_silence_hours = local.job_silence_hours
  }
  log_lines = templatefile("${path.module}/alerts/lines.kql", local.query_values)

  all_alerts = {
    failed = {
      description = "A run failed, was stopped, or its process is gone. `comboi runs` and `comboi status` say which, `comboi retry` or the next run does the rest; readers keep the last good version."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT5M"
      over        = "PT30M"
      severity    = 1
    }
    invocations = {
      description = "The driver failed, or another function failed three times in two hours: the program does not start, is killed, or can't reach what it needs. `comboi doctor` with the app's settings says what."
      asks        = "invocations"
      rings_on    = "presence"
      every       = "PT5M"
      over        = "PT2H"
      severity    = 1
    }
    poison = {
      description = "A message failed five times, or one that is not base64 lies in the poison queue, where nobody is asked to do it. The log of `executor` says why it failed; `comboi doctor` tells what lies there."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT5M"
      over        = "PT30M"
      severity    = 1
    }
    given_up = {
      description = "A stage was given up, a message was refused, or a run was set aside. The log says why; the next run does the rest."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT5M"
      over        = "PT30M"
      severity    = 1
    }
    silence = {
      description = "No run of the function app has ended for ${var.silence_hours} hours: the app does not start, its timer does not fire, its runs do not come to an end, or its log does not arrive."
      asks        = "lines"
      rings_on    = "absence"
      every       = "PT15M"
      over        = local.silence_window < 24 ? "PT${local.silence_window}H" : "P${local.silence_window / 24}D"
      severity    = 1
    }
    job_silence = {
      description = "No run of the job has ended for ${local.job_silence_hours} hours: it does not start, is killed, or does not come to an end. The job's execution history says which."
      asks        = "lines"
      rings_on    = "absence"
      every       = "PT15M"
      over        = local.job_silence_window < 24 ? "PT${local.job_silence_window}H" : "P${local.job_silence_window / 24}D"
      severity    = 1
    }
    backlog = {
      description = "A message has waited for ${var.backlog_minutes} minutes, or ${var.backlog_messages} wait: the executor does not run, or can't keep up."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT15M"
      over        = "PT1H"
      severity    = 2
    }
    late = {
      description = "A dataset is older than the SLA in its contract allows. `comboi status` tells which; its readers keep the last good version."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT15M"
      over        = "PT1H"
      severity    = 2
    }
    incomplete = {
      description = "A run succeeded without all rows: some were set aside (`comboi quarantine ls`), or a warning says that rows or values are missing or were changed (`comboi status`)."
      asks        = "lines"
      rings_on    = "presence"
      every       = "PT15M"
      over        = "PT1H"
      severity    = 3
    }
  }
  alerts = { for name, alert in local.all_alerts : name => alert if name != "job_silence" || local.job_silence_hours > 0 }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local.alerts

  name                    = "alert-${local.name}-${replace(each.key, "_", "-")}"
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  display_name            = "comboi ${var.environment}: ${replace(each.key, "_", " ")}"
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
    query = join("", [
      each.value.asks == "lines" ? local.log_lines : "",
      templatefile("${path.module}/alerts/${each.key}.kql", local.query_values),
    ])
    time_aggregation_method = "Count"
    operator                = each.value.rings_on == "absence" ? "LessThan" : "GreaterThan"
    threshold               = each.value.rings_on == "absence" ? 1 : 0
  }

  dynamic "action" {
    for_each = azurerm_monitor_action_group.this[*].id

    content {
      action_groups = [action.value]
    }
  }
}
