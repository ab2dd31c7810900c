subscription_id = "00000000-0000-0000-0000-000000000000"
prefix          = "myproject"
environment     = "prod"
alert_emails    = ["data-team@example.com"]

# Values come from the environment: TF_VAR_secret_values='{"postgres-password": "…"}'
secrets = { postgres-password = 1 }
