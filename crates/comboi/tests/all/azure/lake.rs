//! A lake in containers behaves as one in folders.

use comboi_test::{ACCOUNT_KEY, Azurite};

use super::Cloud;
use crate::world::World;

#[test]
fn every_command_works_on_it() {
    let cloud = Cloud::small();
    let world = &cloud.world;
    assert_eq!(
        world.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders succeeded 2",
            "silver/orders_clean succeeded 2",
            "gold/daily succeeded 1"
        ]
    );
    assert_eq!(world.rows("daily"), ["2024-05-01,30.50,2"]);
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    assert_eq!(
        world.rows("daily"),
        ["2024-05-01,30.50,2", "2024-05-02,5.25,1"]
    );
    assert_eq!(
        world.json(&["history", "daily"]).as_array().unwrap().len(),
        2
    );
    assert!(world.expect(0, &["ls"]).out.contains("gold/daily"));
    assert!(world.expect(0, &["plan"]).out.contains("nothing new"));
    world.expect(0, &["restore", "daily", "--version", "0"]);
    assert_eq!(world.rows("daily"), ["2024-05-01,30.50,2"]);
    world.expect(0, &["reset-checkpoint", "--source", "shop"]);
    world.run();
    assert_eq!(world.rows("orders").len(), 3);
    world.expect(0, &["vacuum", "--keep", "0s"]);
    assert_eq!(
        world.rows("daily"),
        ["2024-05-01,30.50,2", "2024-05-02,5.25,1"]
    );
    // Nothing of the lake is on this machine, and every stage is where it should be.
    assert_eq!(world.files("data"), Vec::<String>::new());
    let published = cloud
        .objects("gold")
        .contains(&"metrics/daily.parquet".to_owned());
    assert!(published, "{:?}", cloud.objects("gold"));
    let state = cloud.objects("bronze");
    assert!(
        state.iter().any(|it| it.starts_with("_comboi/runs/")),
        "{state:?}"
    );
}

#[test]
fn the_same_rows_as_in_a_folder() {
    let (cloud, local) = (Cloud::small(), World::small());
    for world in [&cloud.world, &local] {
        world.run();
        world.write(
            "in/orders/day2.csv",
            "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,\n",
        );
        world.run();
    }
    for dataset in ["orders", "orders_clean", "daily"] {
        assert_eq!(cloud.world.rows(dataset), local.rows(dataset), "{dataset}");
    }
}

/// Another machine finds the lake and its runs by the configuration alone.
#[test]
fn another_machine_goes_on() {
    let cloud = Cloud::small();
    cloud.world.run();
    let there = cloud.world.copy();
    std::fs::remove_dir_all(there.path(".comboi")).ok();
    assert_eq!(
        there.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders skipped 0",
            "silver/orders_clean skipped 0",
            "gold/daily skipped 0"
        ]
    );
    assert_eq!(there.json(&["run", "all"])["run"], 3);
}

#[test]
fn what_is_wrong_is_said_and_no_key_is_shown() {
    let cloud = Cloud::small();
    let failure = |cloud: &Cloud| {
        let said = cloud.world.comboi(&["run", "all"]);
        assert_ne!(said.code, Some(0));
        let text = said.out + &said.err;
        assert!(!text.contains("Eby8vdM0"), "{text}");
        text
    };
    let endpoint = Azurite::blob_endpoint();
    let told = |text: &str, expected: &str| assert!(text.contains(expected), "{text}");

    let wrong = ACCOUNT_KEY.replace("Eby8", "Fby8");
    cloud.reach(&endpoint, &wrong);
    told(
        &failure(&cloud),
        "the account `devstoreaccount1` does not take the credential",
    );

    cloud.reach(&endpoint, "not a key");
    told(&failure(&cloud), "the credential is neither an account key");

    cloud.reach("https://lake.dfs.core.windows.net", ACCOUNT_KEY);
    told(
        &failure(&cloud),
        "write `https://lake.blob.core.windows.net`",
    );

    cloud.reach("http://127.0.0.1:1/devstoreaccount1", ACCOUNT_KEY);
    told(&failure(&cloud), "127.0.0.1:1");

    let shared = World::small();
    let one = cloud.azurite.name("bronze");
    let stages = cloud.stages(&endpoint, ACCOUNT_KEY);
    let stages = stages.replace(&cloud.azurite.name("silver"), &one);
    shared.write(
        "configs/default.yml",
        format!("{}{stages}", crate::world::SMALL_CONFIG),
    );
    told(
        &shared.comboi(&["run", "all"]).err,
        "give each its own `file_system`",
    );

    let absent = Cloud {
        azurite: Azurite::new(),
        world: World::small(),
    };
    absent.reach(&endpoint, ACCOUNT_KEY);
    let name = absent.azurite.name("bronze");
    told(
        &failure(&absent),
        &format!("the account `devstoreaccount1` has no container `{name}`"),
    );
}
