terraform {
  # Write-only arguments and ephemeral variables keep secrets out of the state.
  required_version = ">= 1.11"

  required_providers {
    # Exactly the version whose schema scripts/check-terraform holds these files to.
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "4.55.0"
    }
    # For the one thing that azurerm gets wrong; see functions.tf.
    azapi = {
      source  = "azure/azapi"
      version = "~> 2.4"
    }
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  features {
    key_vault {
      # A vault with purge protection can't be purged; Terraform is not to try.
      purge_soft_delete_on_destroy = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}
