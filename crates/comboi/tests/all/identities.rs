//! Passwords out of a key vault and logins by token, as whoever the program is.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use comboi_test::{FakeAzure, Postgres};

use crate::world::{Said, World, said};

const PASSWORD: &str = "GET shop.vault.azure.net/secrets/database/";
const LOGIN: &str = "POST login.microsoftonline.com/home/oauth2/v2.0/token";

/// A project whose database is in a secret, and an Azure that has it.
struct Shop {
    azure: FakeAzure,
    database: Postgres,
    world: World,
}

impl Shop {
    fn new() -> Self {
        let shop = Self {
            azure: FakeAzure::start(),
            database: Postgres::database(),
            world: World::new(),
        };
        shop.database
            .run("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 3) g");
        let options = "application_name=canary-of-a-password";
        let url = format!("{}?{options}", shop.database.url());
        shop.azure.keep_secret("shop", "database", &url);
        shop.connect_by("conn_str: \"{{keyvault:database}}\"");
        shop
    }

    fn connect_by(&self, connection: &str) {
        let config = format!(
            "key_vault: {{vault_url: \"https://shop.vault.azure.net/\"}}\nsources:\n  - name: shop\n    type: postgres\n    connection: {{{connection}}}\n    tables: [{{name: t}}]\n"
        );
        self.world.write("configs/default.yml", config);
    }

    /// The program where nothing of Azure is but by the proxy, and no tool is installed.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.world.command(words);
        command
            .env("HTTPS_PROXY", self.azure.proxy())
            .env("SSL_CERT_FILE", self.azure.authority())
            .env("PATH", self.world.path("tools"));
        command
    }

    /// The program in a function app with an identity.
    fn hosted(&self, words: &[&str]) -> Said {
        let mut command = self.command(words);
        command
            .env("IDENTITY_ENDPOINT", self.azure.identity_endpoint())
            .env("IDENTITY_HEADER", FakeAzure::IDENTITY_HEADER);
        self.seen(command)
    }

    /// What it says, which holds no secret; no file that it left does either.
    fn seen(&self, mut command: Command) -> Said {
        let said = said(command.output().unwrap());
        for text in [&said.out, &said.err] {
            assert!(!text.contains("canary"), "{text}");
        }
        for file in self.world.files(".") {
            let own = file.starts_with("tools/") || file == ".env";
            let bytes = std::fs::read(self.world.path(&file)).unwrap();
            let found = bytes.windows(6).any(|it| it == b"canary");
            assert!(own || !found, "{file}");
        }
        said
    }

    fn tool(&self, name: &str, script: &str) {
        let file = format!("tools/{name}");
        self.world.write(&file, format!("#!/bin/sh\n{script}\n"));
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.world.path(&file), all).unwrap();
    }
}

fn expect(code: i32, said: &Said) {
    assert_eq!(said.code, Some(code), "{}\n{}", said.out, said.err);
}

/// The message of the only task.
fn failure(said: &Said) -> String {
    expect(1, said);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let message = report["tasks"][0]["failure"]["message"].as_str();
    message.unwrap_or_else(|| panic!("{report:#}")).to_owned()
}

#[test]
fn a_function_app_reads_a_password_from_its_vault() {
    let shop = Shop::new();
    shop.azure.give_machine("system");
    let words = ["run", "all", "--log-level", "trace"];
    expect(0, &shop.hosted(&words));
    assert_eq!(shop.world.rows("t"), ["1", "2", "3"]);
    // A run opens the database more than once, and asks for its password once.
    let asked = shop.azure.asked();
    let token = asked.iter().filter(|line| line.ends_with("/msi/token"));
    assert_eq!(token.count(), 1);
    let secret = asked.iter().filter(|line| *line == PASSWORD);
    assert_eq!(secret.count(), 2, "one question is what token is wanted");
    for command in ["plan", "test-connection"] {
        expect(0, &shop.hosted(&[command]));
    }
}

#[test]
fn the_next_command_uses_a_password_that_was_changed() {
    let shop = Shop::new();
    shop.azure.give_machine("system");
    let right = shop.database.url();
    let wrong = right.replacen("://", "://nobody:canary-old@", 1);
    let wrong = match right.split_once('@') {
        Some((_, place)) => format!("postgresql://nobody:canary-old@{place}"),
        None => wrong,
    };
    shop.azure.keep_secret("shop", "database", &wrong);
    expect(1, &shop.hosted(&["test-connection"]));
    shop.azure.keep_secret("shop", "database", &right);
    expect(0, &shop.hosted(&["test-connection"]));
}

#[test]
fn a_missing_secret_fails_its_tables_and_says_what_to_do() {
    let shop = Shop::new();
    shop.azure.give_machine("system");
    shop.connect_by("conn_str: \"{{keyvault:databse}}\"");
    assert_eq!(
        failure(&shop.hosted(&["run", "all", "--output", "json"])),
        "could not read the secret `databse` that configs/default.yml:5:28 uses: the key vault https://shop.vault.azure.net has no secret `databse`; make it with `az keyvault secret set --vault-name shop --name databse`, or mend the name; nothing of it was loaded"
    );
}

#[test]
fn the_doctor_asks_for_each_secret() {
    let shop = Shop::new();
    shop.azure.give_machine("system");
    let said = shop.hosted(&["doctor"]);
    expect(0, &said);
    assert!(said.out.contains("the key vault gives it"), "{}", said.out);
    shop.connect_by("conn_str: \"{{keyvault:databse}}\"");
    let said = shop.hosted(&["doctor"]);
    expect(1, &said);
    let told = "the key vault https://shop.vault.azure.net has no secret `databse`";
    assert!(said.out.contains(told), "{}", said.out);
}

#[test]
fn the_login_may_stand_in_the_env_file() {
    let shop = Shop::new();
    shop.azure
        .know_principal("home", "robot", "canary-client-secret");
    shop.world.write(
        ".env",
        "AZURE_TENANT_ID=home\nAZURE_CLIENT_ID=robot\nAZURE_CLIENT_SECRET=canary-client-secret\n",
    );
    expect(0, &shop.seen(shop.command(&["test-connection"])));
    assert_eq!(shop.azure.asked(), [PASSWORD, LOGIN, PASSWORD]);
}

#[test]
fn a_developer_is_who_logged_in() {
    let shop = Shop::new();
    let token = shop.azure.token("https://vault.azure.net/.default");
    let answer =
        format!(r#"{{"accessToken": "{token}", "expires_on": 4102444800, "tokenType": "Bearer"}}"#);
    shop.tool("az", &format!("echo '{answer}'"));
    expect(0, &shop.seen(shop.command(&["test-connection"])));
    assert_eq!(shop.azure.asked(), [PASSWORD, PASSWORD]);
}

#[test]
fn where_nobody_is_logged_in_everybody_who_was_asked_is_told() {
    let shop = Shop::new();
    shop.tool(
        "az",
        "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1",
    );
    let failure = failure(&shop.seen(shop.command(&["run", "all", "--output", "json"])));
    for part in [
        "there is no login for the key vault https://shop.vault.azure.net: nobody is logged in here (the machine's managed identity: ",
        "; the Azure CLI: Please run 'az login' to setup account.; the Azure Developer CLI: azd not found on PATH); in Azure give the machine a managed identity, on your own machine run `az login`",
    ] {
        assert!(failure.contains(part), "{failure}");
    }
}

#[test]
fn a_token_is_a_password() {
    let shop = Shop::new();
    shop.azure.give_machine("system");
    let role = format!("entra_{}", shop.database.name());
    // What the first token is.
    let made =
        format!("CREATE ROLE {role} LOGIN PASSWORD 'canary-token-1'; GRANT SELECT ON t TO {role}");
    shop.database.run(&made);
    let url = shop.database.url();
    let (_, place) = url.split_once('@').unwrap();
    let (place, name) = place.split_once('/').unwrap();
    let (host, port) = place.split_once(':').unwrap();
    shop.connect_by(&format!(
        "host: {host}, port: {port}, database: {name}, user: {role}, authentication: entra"
    ));
    let said = shop.hosted(&["test-connection"]);
    shop.database
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    expect(0, &said);
}

#[test]
fn a_lake_without_a_login_says_who_was_asked() {
    let shop = Shop::new();
    shop.azure
        .know_principal("home", "robot", "canary-client-secret");
    shop.world.write(
        ".env",
        "AZURE_TENANT_ID=home\nAZURE_CLIENT_ID=robot\nAZURE_CLIENT_SECRET=canary-of-last-year\n",
    );
    let stages = ["bronze", "silver", "gold"].map(|stage| {
        format!("  {stage}: {{data_lake: {{account_name: lake, file_system: {stage}}}}}\n")
    });
    let config = format!("{}stages:\n{}", crate::world::SMALL_CONFIG, stages.concat());
    shop.world.write("configs/default.yml", config);
    let said = shop.seen(shop.command(&["run", "all"]));
    expect(1, &said);
    let told = "there is no login for the account `lake`: the service principal `robot`: AADSTS7000215: Invalid client secret provided";
    assert!(said.err.contains(told), "{}", said.err);
    assert_eq!(shop.azure.asked(), [LOGIN]);
}

#[test]
fn nobody_is_asked_for_what_is_not_needed() {
    let shop = Shop::new();
    shop.world.write("in/o.csv", "id\n1\n");
    shop.world.write(
        "configs/default.yml",
        "key_vault: {vault_url: \"https://shop.vault.azure.net\"}\nsources:\n  - name: shop\n    type: files\n    path: in\n    tables: [{name: o, files: o.csv}]\n",
    );
    expect(0, &shop.hosted(&["run", "all"]));
    expect(0, &shop.hosted(&["plan"]));
    assert!(shop.azure.asked().is_empty());
}
