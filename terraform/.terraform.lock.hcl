# The exact providers. Their checksums are added by `terraform init`, and are to be committed then: see README.md.

provider "registry.terraform.io/azure/azapi" {
  version     = "2.8.0"
  constraints = "2.8.0"
}

provider "registry.terraform.io/hashicorp/azurerm" {
  version     = "4.55.0"
  constraints = "4.55.0"
}

provider "registry.terraform.io/hashicorp/time" {
  version     = "0.13.1"
  constraints = "0.13.1"
}
