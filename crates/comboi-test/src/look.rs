//! A store in memory, and what is in a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

/// An empty store in memory.
pub fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// The names of all objects, in order.
pub async fn names(store: &dyn ObjectStore) -> Vec<String> {
    let found: Vec<_> = store
        .list(None)
        .try_collect()
        .await
        .expect("a store that can be listed");
    let mut names: Vec<String> = found
        .into_iter()
        .map(|meta| meta.location.to_string())
        .collect();
    names.sort();
    names
}

/// All objects with their bytes.
pub async fn contents(store: &dyn ObjectStore) -> BTreeMap<String, Bytes> {
    let found: Vec<_> = store
        .list(None)
        .try_collect()
        .await
        .expect("a store that can be listed");
    let mut contents = BTreeMap::new();
    for meta in found {
        let answer = store
            .get(&meta.location)
            .await
            .expect("an object that was listed");
        contents.insert(
            meta.location.to_string(),
            answer
                .bytes()
                .await
                .expect("bytes of an object that was listed"),
        );
    }
    contents
}
