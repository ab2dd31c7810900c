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
      version = "2.8.0"
    }
    # To wait until a role is known everywhere; see vault.tf.
    time = {
      source  = "hashicorp/time"
      version = "0.13.1"
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
    storage {
      # The provider would wait for the accounts' own addresses, which `private_networking` closes before there are endpoints. All that is made
      # here goes through the management API.
      data_plane_available = false
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}
