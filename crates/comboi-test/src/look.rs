//! A store in memory, what is in a store, and what is changed in it by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

/// Any store.
pub type Store = Arc<dyn ObjectStore>;

/// An empty store in memory.
pub fn memory() -> Store {
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

/// Another store in memory with the same objects.
pub async fn copy(store: &dyn ObjectStore) -> Store {
    let copy = memory();
    for (name, bytes) in contents(store).await {
        put(copy.as_ref(), &name, bytes).await;
    }
    copy
}

/// Writes an object, whether it is there or not.
pub async fn put(store: &dyn ObjectStore, name: &str, bytes: impl Into<Bytes>) {
    let key = Path::parse(name).expect("a name that a store can have");
    store
        .put(&key, bytes.into().into())
        .await
        .expect("a store that can be written");
}

/// Writes an object if it is not there, and says whether it was this call that did; else what the store said.
pub async fn create(
    store: &dyn ObjectStore,
    name: &str,
    bytes: impl Into<Bytes>,
) -> Result<bool, String> {
    let key = Path::parse(name).expect("a name that a store can have");
    let put = store.put_opts(&key, bytes.into().into(), PutMode::Create.into());
    match put.await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
        Err(e) => Err(e.to_string()),
    }
}

/// The bytes of an object, if it is there; else what the store said.
pub async fn get(store: &dyn ObjectStore, name: &str) -> Result<Option<Bytes>, String> {
    let key = Path::parse(name).expect("a name that a store can have");
    match store.get(&key).await {
        Ok(found) => Ok(Some(found.bytes().await.map_err(|e| e.to_string())?)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

/// Deletes an object.
pub async fn remove(store: &dyn ObjectStore, name: &str) {
    let key = Path::parse(name).expect("a name that a store can have");
    store.delete(&key).await.expect("an object that is there");
}
