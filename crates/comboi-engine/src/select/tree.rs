//! DuckDB's tree of a statement, as rows of `json_tree`: flat, so that its depth does not matter.

use std::collections::HashMap;

/// The tree of a statement.
#[derive(PartialEq, Eq)]
pub(super) struct Tree {
    /// In the order of their ids, which is the order of the text of the JSON.
    entries: Vec<Entry>,
    /// Where in `entries` the children of an id are.
    children: HashMap<u64, Vec<usize>>,
}

#[derive(PartialEq, Eq)]
struct Entry {
    id: u64,
    key: String,
    /// `None` for objects and lists.
    atom: Option<String>,
}

/// An object of the tree.
pub(super) struct Node<'a> {
    tree: &'a Tree,
    id: u64,
}

impl Tree {
    /// Out of rows of id, parent, key and atom.
    pub(super) fn of(rows: Vec<Vec<Option<String>>>) -> Self {
        let mut tree = Self { entries: Vec::with_capacity(rows.len()), children: HashMap::new() };
        for row in rows {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            let id = next().and_then(|text| text.parse().ok()).unwrap_or_default();
            let parent = next().and_then(|text| text.parse().ok());
            let key = next().unwrap_or_default();
            let atom = next().map(|json| serde_json::from_str(&json).unwrap_or(json));
            if let Some(parent) = parent {
                tree.children.entry(parent).or_default().push(tree.entries.len());
            }
            tree.entries.push(Entry { id, key, atom });
        }
        tree
    }

    /// A value of the outermost object.
    pub(super) fn root(&self, key: &str) -> Option<String> {
        Node { tree: self, id: 0 }.text(key)
    }

    pub(super) fn statements(&self) -> usize {
        Node { tree: self, id: 0 }.child("statements").map_or(0, |list| list.entries().count())
    }

    /// Everything that may be a node: whatever has a kind or another value of its own.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.entries.iter().filter(|entry| entry.atom.is_none()).map(|entry| Node { tree: self, id: entry.id })
    }

    /// The names of the common table expressions, wherever they are.
    pub(super) fn ctes(&self) -> impl Iterator<Item = String> + '_ {
        let maps = self.nodes().filter_map(|node| node.child("cte_map")?.child("map"));
        maps.flat_map(|map| map.entries().map(|entry| entry.id).collect::<Vec<_>>()).filter_map(|id| Node { tree: self, id }.text("key"))
    }
}

impl<'a> Node<'a> {
    fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let tree = self.tree;
        tree.children.get(&self.id).into_iter().flatten().filter_map(|&at| tree.entries.get(at))
    }

    fn child(&self, key: &str) -> Option<Node<'a>> {
        self.entries().find(|entry| entry.key == key).map(|entry| Node { tree: self.tree, id: entry.id })
    }

    /// A text or number of this object.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.entries().find(|entry| entry.key == key)?.atom.clone()
    }

    /// The byte of the statement that it stands at.
    pub(super) fn location(&self) -> Option<usize> {
        let at: u64 = self.text("query_location")?.parse().ok()?;
        if at == u64::MAX { None } else { usize::try_from(at).ok() }
    }

    /// The function that a `TABLE_FUNCTION` calls.
    pub(super) fn table_function(&self) -> Option<String> {
        self.child("function")?.text("function_name")
    }

    pub(super) fn arguments(&self) -> usize {
        self.child("children").map_or(0, |list| list.entries().count())
    }

    /// The last part of the name of a column reference.
    pub(super) fn column(&self) -> Option<String> {
        if self.text("type")? != "COLUMN_REF" {
            return None;
        }
        self.child("column_names")?.entries().last()?.atom.clone()
    }
}
