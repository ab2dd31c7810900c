# The second size: a Container Apps job that runs the very same program with more memory and without a function's time limit,
# for a first load of years or a dataset that outgrows a function. Runs are numbered in the lake, so the function app's runs
# and the job's can't mix: whoever comes second takes the next number.

locals {
  job_count = var.job == null ? 0 : 1

  # The registry to log in to, if there is one.
  job_registries = [
    for job in var.job[*] : { id = job.registry_id, server = job.registry_server } if job.registry_id != null
  ]
}

resource "azurerm_container_app_environment" "this" {
  count = local.job_count

  name                       = "cae-${local.name}"
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  logs_destination           = "log-analytics"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  infrastructure_subnet_id   = one(azurerm_subnet.jobs[*].id)
  tags                       = local.tags

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }

  lifecycle {
    # Azure names the group of its own resources.
    ignore_changes = [infrastructure_resource_group_name]
  }
}

resource "azurerm_container_app_job" "this" {
  count = local.job_count

  name                         = "caj-${local.name}"
  resource_group_name          = azurerm_resource_group.this.name
  location                     = azurerm_resource_group.this.location
  container_app_environment_id = azurerm_container_app_environment.this[0].id
  workload_profile_name        = "Consumption"
  replica_timeout_in_seconds   = var.job.timeout_seconds
  replica_retry_limit          = 1
  tags                         = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  dynamic "registry" {
    for_each = local.job_registries

    content {
      server   = registry.value.server
      identity = azurerm_user_assigned_identity.app.id
    }
  }

  dynamic "schedule_trigger_config" {
    for_each = var.job.schedule == null ? [] : [var.job.schedule]

    content {
      cron_expression          = schedule_trigger_config.value
      parallelism              = 1
      replica_completion_count = 1
    }
  }

  dynamic "manual_trigger_config" {
    for_each = var.job.schedule == null ? [1] : []

    content {
      parallelism              = 1
      replica_completion_count = 1
    }
  }

  template {
    container {
      name   = "comboi"
      image  = var.job.image
      cpu    = var.job.cpu
      memory = var.job.memory
      args   = var.job.arguments

      dynamic "env" {
        for_each = local.program_settings

        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  depends_on = [azurerm_role_assignment.app]
}
