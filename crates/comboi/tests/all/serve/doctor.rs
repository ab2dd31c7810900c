//! What `comboi doctor` finds.

use comboi_test::ACCOUNT_KEY;

use super::App;
use crate::world::World;

/// The lines of what is not good, and whether the command ended well.
fn bad(app: &App) -> (Vec<String>, Option<i32>) {
    let said = app.command(&["doctor"]);
    assert!(!said.out.contains(ACCOUNT_KEY), "{}", said.out);
    let lines = said.out.lines().filter(|line| !line.starts_with("good"));
    (lines.map(str::to_owned).collect(), said.code)
}

#[test]
fn everything_is_looked_at() {
    let app = App::small();
    let (found, code) = bad(&app);
    assert_eq!(
        found,
        ["Everything that could be looked at is as it should be."]
    );
    assert_eq!(code, Some(0));
    // Nothing of the looking stays.
    assert_eq!(app.cloud.objects("bronze"), Vec::<String>::new());
    let local = World::small();
    local.expect(0, &["doctor"]);
    assert_eq!(local.files("data"), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_named_with_a_remedy() {
    let broken = |break_it: &dyn Fn(&App), expected: &str| {
        let app = App::small();
        break_it(&app);
        let (found, code) = bad(&app);
        let found = found.join("\n");
        assert!(found.contains(expected), "{expected}: {found}");
        assert_eq!(code, Some(1), "{found}");
    };
    broken(
        &|app| app.world().write("host.json", "{}"),
        "the host starts nothing",
    );
    broken(
        &|app| {
            let host = app.world().read("host.json");
            app.world()
                .write("host.json", host.replace("base64", "none"));
        },
        "`extensions.queues.messageEncoding` has to be `base64`",
    );
    broken(
        &|app| {
            let path = app.world().path("driver");
            std::fs::create_dir(app.world().path("functions")).unwrap();
            std::fs::rename(path, app.world().path("functions/driver")).unwrap();
        },
        "they are below `functions/`, where the host does not look",
    );
    broken(
        &|app| app.world().write("configs/default.yml", "sources: 7\n"),
        "configs/default.yml:1:10",
    );
    broken(
        &|app| std::fs::remove_dir_all(app.world().path("in")).unwrap(),
        "is not there; make it, or correct `path`",
    );
    broken(
        &|app| {
            let config = app.world().read("configs/default.yml");
            app.world().write(
                "configs/default.yml",
                config.replace(&app.cloud.azurite.name("gold"), "no-gold"),
            );
        },
        "has no container `no-gold`",
    );
    broken(
        &|app| {
            let config = app.world().read("configs/default.yml");
            let queue = comboi_test::Azurite::connection_string();
            app.world().write(
                "configs/default.yml",
                format!("queue: {{name: other, connection_string: \"{queue}\"}}\n{config}"),
            );
        },
        "there is no queue `other`",
    );
}
