variable "subscription_id" {
  description = "The subscription in which everything is made."
  type        = string
}

variable "prefix" {
  description = "Begins every name: your team or product. 2 to 10 small letters and digits."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.prefix))
    error_message = "prefix has to be 2 to 10 small letters and digits, the first a letter: it becomes part of a storage account's name."
  }
}

variable "environment" {
  description = "Ends every name: dev, test or prod, say. 1 to 5 small letters and digits."
  type        = string
  default     = "prod"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,4}$", var.environment))
    error_message = "environment has to be 1 to 5 small letters and digits, the first a letter: it becomes part of a storage account's name."
  }
}

variable "location" {
  description = "The region. It has to offer Flex Consumption: az functionapp list-flexconsumption-locations."
  type        = string
  default     = "westeurope"
}

variable "tags" {
  description = "Tags for everything that is made."
  type        = map(string)
  default     = {}
}

variable "config_path" {
  description = "The configuration that the deployed program runs, relative to the package: `configs/production.yml`."
  type        = string
  default     = "configs/production.yml"

  validation {
    condition     = !startswith(var.config_path, "/") && !strcontains(var.config_path, "..")
    error_message = "config_path has to lie in the package: no leading slash and no `..`."
  }
}

variable "app_settings" {
  description = "More environment variables for the program: what the project's {{env:NAME}} ask for. No secrets: they belong in the vault."
  type        = map(string)
  default     = {}
}

variable "schedule" {
  description = "When the timer fires: six fields (second minute hour day month weekday), in UTC. The default is every hour."
  type        = string
  default     = "0 0 * * * *"

  validation {
    condition     = length(split(" ", var.schedule)) == 6
    error_message = "schedule has six fields: second minute hour day month weekday."
  }
}

variable "instance_memory_mb" {
  description = "The memory of an instance of the function app: 512, 2048 or 4096."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "Flex Consumption has instances of 512, 2048 and 4096 MB."
  }
}

variable "maximum_instances" {
  description = "How many instances may run at once, 40 to 1000. They share the tasks of a stage when the configuration says `fan_out: task`."
  type        = number
  default     = 40

  validation {
    condition     = var.maximum_instances >= 40 && var.maximum_instances <= 1000
    error_message = "Flex Consumption allows 40 to 1000."
  }
}

variable "replication" {
  description = "How storage is replicated: LRS, ZRS, GRS or GZRS. Not every region has ZRS."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS"], var.replication)
    error_message = "replication is LRS, ZRS, GRS or GZRS."
  }
}

variable "secrets" {
  description = "The secrets to put into the vault, each with a number that is raised when its value changes: { postgres-password = 1 }. Others can be put there by hand."
  type        = map(number)
  default     = {}
}

variable "secret_values" {
  description = "The values of `secrets`, best given as TF_VAR_secret_values. They are written to the vault and kept neither in the state nor in a plan."
  type        = map(string)
  default     = {}
  ephemeral   = true
  sensitive   = true
}

variable "shared_keys" {
  description = "Allow account keys, and put `adls-storage-key` and `queue-connection-string` into the vault, for configurations and tools that can't do without. comboi needs neither: it uses its identity. The keys are in Terraform's state then."
  type        = bool
  default     = false
}

variable "operators" {
  description = "Object ids of the people, groups and identities (Airflow, Data Factory) that may start runs, read and mend the lake, and use the vault's secrets with the command line."
  type        = set(string)
  default     = []
}

variable "alert_emails" {
  description = "Who is told when an alert rings. Without anyone the alerts are in the portal only."
  type        = set(string)
  default     = []
}

variable "silence_hours" {
  description = "An alert rings when no run has ended for so many hours, 1 to 48: two periods of an hourly `schedule` and the time that a run takes; 26 for a daily one."
  type        = number
  default     = 3

  validation {
    condition     = var.silence_hours >= 1 && var.silence_hours <= 48 && floor(var.silence_hours) == var.silence_hours
    error_message = "silence_hours is a whole number, 1 to 48: Azure Monitor looks back over two days at most."
  }
}

variable "backlog_minutes" {
  description = "An alert rings when a message has waited in the queue for so many minutes without anybody at work on it."
  type        = number
  default     = 60

  validation {
    condition     = var.backlog_minutes >= 15 && floor(var.backlog_minutes) == var.backlog_minutes
    error_message = "backlog_minutes is a whole number, 15 or more: a message that failed waits up to ten minutes by design."
  }
}

variable "backlog_messages" {
  description = "An alert rings when so many messages are in the queue. With `fan_out: task` there is one for each dataset."
  type        = number
  default     = 500

  validation {
    condition     = var.backlog_messages >= 1 && floor(var.backlog_messages) == var.backlog_messages
    error_message = "backlog_messages is a whole number, 1 or more."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, 30 to 730 days."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "log_retention_days is 30 to 730."
  }
}

variable "private_networking" {
  description = "Put storage and vault behind private endpoints and close them to the internet. Terraform then has to run where it reaches the network, if it is to write `secrets`."
  type        = bool
  default     = false
}

variable "address_space" {
  description = "The private network's addresses, a /24 or larger. Only with `private_networking`."
  type        = string
  default     = "10.71.0.0/24"

  validation {
    condition     = can(cidrhost(var.address_space, 0)) && tonumber(split("/", var.address_space)[1]) <= 24
    error_message = "address_space is a network of /24 or larger, 10.71.0.0/24 for example."
  }
}

variable "job" {
  description = <<-END
    A Container Apps job with the same program, for runs that need more than a function has: up to 4 processors and 8 GB.
      image               an image made with terraform/Dockerfile
      registry_id         the resource id of the Azure container registry that has it; null for a public image
      registry_server     the registry's login server; null for a public image
      cpu, memory         processors, and memory such as "4Gi" (twice the processors)
      schedule            five fields in UTC (minute hour day month weekday); null: started by hand with `az containerapp job start`
      silence_hours       an alert rings when no run of a scheduled job has ended for so many hours, 1 to 48; 0: no alert, for a job
                          that runs less often than daily
      timeout_seconds     after which a run is ended; `comboi retry`, or the next run, goes on from there
      arguments           what it runs
  END
  type = object({
    image           = string
    registry_id     = optional(string)
    registry_server = optional(string)
    cpu             = optional(number, 2)
    memory          = optional(string, "4Gi")
    schedule        = optional(string)
    silence_hours   = optional(number, 26)
    timeout_seconds = optional(number, 21600)
    arguments       = optional(list(string), ["run", "all", "--log-format", "json"])
  })
  default = null

  validation {
    condition     = var.job == null ? true : (var.job.registry_id == null) == (var.job.registry_server == null)
    error_message = "registry_id and registry_server go together: one gives the right to pull, the other is where to."
  }

  validation {
    condition     = var.job == null ? true : contains(range(49), var.job.silence_hours)
    error_message = "job.silence_hours is a whole number, 0 to 48."
  }
}
