//! Projects whose lake is in Azure, on a real Azurite.

mod lake;
mod storage;
mod tokens;

use comboi_test::{ACCOUNT, ACCOUNT_KEY, Azurite};

use crate::world::World;

/// A project with a container for each stage.
pub(crate) struct Cloud {
    pub(crate) azurite: Azurite,
    pub(crate) world: World,
}

impl Cloud {
    /// The small project, in containers of its own.
    pub(crate) fn small() -> Self {
        let cloud = Self {
            azurite: Azurite::new(),
            world: World::small(),
        };
        for stage in ["bronze", "silver", "gold"] {
            cloud.azurite.container(stage);
        }
        cloud.reach(&Azurite::blob_endpoint(), ACCOUNT_KEY);
        cloud
    }

    /// Reaches the lake at this address with this key.
    pub(crate) fn reach(&self, endpoint: &str, key: &str) {
        let config = format!(
            "{}{}",
            crate::world::SMALL_CONFIG,
            self.stages(endpoint, key)
        );
        self.world.write("configs/default.yml", config);
    }

    pub(crate) fn stages(&self, endpoint: &str, key: &str) -> String {
        let mut text = "stages:\n".to_owned();
        for stage in ["bronze", "silver", "gold"] {
            text += &format!(
                "  {stage}:\n    data_lake:\n      account_name: {ACCOUNT}\n      file_system: {}\n      endpoint: {endpoint}\n      credential: \"{key}\"\n",
                self.azurite.name(stage)
            );
        }
        text
    }

    /// What readers see.
    pub(crate) fn seen(&self) -> String {
        let datasets = ["bronze/shop/orders", "silver/orders_clean", "gold/daily"];
        let rows = datasets.map(|it| format!("{it}\n  {}\n", self.world.rows(it).join("\n  ")));
        rows.concat()
    }

    /// The names of all objects of a stage.
    pub(crate) fn objects(&self, stage: &str) -> Vec<String> {
        let store = Azurite::store(&self.azurite.name(stage));
        self.azurite.block_on(comboi_test::names(store.as_ref()))
    }
}
