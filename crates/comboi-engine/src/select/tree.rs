//! DuckDB's tree of a statement, read from its JSON without recursion, so that its depth does not matter: a sum of
//! hundreds of terms is hundreds of levels deep.

/// The tree of a statement.
#[derive(PartialEq, Eq)]
pub(crate) struct Tree {
    /// In the order of the JSON; the first is the outermost object.
    entries: Vec<Entry>,
}

#[derive(PartialEq, Eq)]
struct Entry {
    /// Empty in a list.
    key: String,
    /// `None` for objects and lists.
    atom: Option<String>,
    /// Where in `entries` its own are.
    children: Vec<usize>,
}

/// An object of the tree.
pub(crate) struct Node<'a> {
    tree: &'a Tree,
    id: usize,
}

impl Tree {
    /// Out of well-formed JSON, as DuckDB writes it. Nulls are left out.
    pub(crate) fn of(json: &str) -> Self {
        let mut tree = Self {
            entries: Vec::new(),
        };
        let mut open: Vec<usize> = Vec::new();
        let mut key: Option<String> = None;
        let mut rest = json;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '{' | '[' => {
                    let id = tree.add(open.last(), key.take(), None);
                    open.push(id);
                    1
                }
                '}' | ']' => {
                    open.pop();
                    1
                }
                ',' => {
                    key = None;
                    1
                }
                '"' => {
                    let length = string_length(rest);
                    let text = rest
                        .get(..length)
                        .and_then(|json| serde_json::from_str(json).ok())
                        .unwrap_or_default();
                    let is_key = rest
                        .get(length..)
                        .is_some_and(|after| after.trim_start().starts_with(':'));
                    if is_key {
                        key = Some(text);
                    } else {
                        tree.add(open.last(), key.take(), Some(text));
                    }
                    length
                }
                ':' | ' ' | '\n' | '\r' | '\t' => 1,
                _ => {
                    let length = rest.find([',', '}', ']']).unwrap_or(rest.len());
                    let text = rest.get(..length).unwrap_or_default().trim();
                    if text != "null" {
                        tree.add(open.last(), key.take(), Some(text.to_owned()));
                    }
                    length
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        tree
    }

    fn add(&mut self, parent: Option<&usize>, key: Option<String>, atom: Option<String>) -> usize {
        let id = self.entries.len();
        if let Some(parent) = parent.and_then(|&at| self.entries.get_mut(at)) {
            parent.children.push(id);
        }
        self.entries.push(Entry {
            key: key.unwrap_or_default(),
            atom,
            children: Vec::new(),
        });
        id
    }

    /// A value of the outermost object.
    pub(crate) fn root(&self, key: &str) -> Option<String> {
        Node { tree: self, id: 0 }.text(key)
    }

    /// Whether both are of the same statement, wherever each part of it stands.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        fn parts(tree: &Tree) -> impl Iterator<Item = (&str, Option<&str>, usize)> {
            let entries = tree.entries.iter();
            let placeless = entries.filter(|it| it.key != "query_location");
            placeless.map(|it| (it.key.as_str(), it.atom.as_deref(), it.children.len()))
        }
        parts(self).eq(parts(other))
    }

    pub(crate) fn statements(&self) -> usize {
        Node { tree: self, id: 0 }
            .child("statements")
            .map_or(0, |list| list.children().count())
    }

    /// Every object and list.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let inner = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.atom.is_none());
        inner.map(|(id, _)| Node { tree: self, id })
    }

    /// Whether it returns nothing but a count of rows or values.
    pub(crate) fn is_count(&self) -> bool {
        let list = self.nodes().find_map(|node| node.child("select_list"));
        let Some(list) = list else { return false };
        let mut items = list.children().map(|(id, _)| Node { tree: self, id });
        let (first, second) = (items.next(), items.next());
        let name = first.and_then(|item| item.text("function_name"));
        second.is_none() && name.is_some_and(|name| ["count", "count_star"].contains(&&*name))
    }

    /// The names of the common table expressions, wherever they are.
    pub(crate) fn ctes(&self) -> impl Iterator<Item = String> + '_ {
        let maps = self
            .nodes()
            .filter_map(|node| node.child("cte_map")?.child("map"));
        maps.flat_map(|map| map.children().map(|(id, _)| id).collect::<Vec<_>>())
            .filter_map(|id| Node { tree: self, id }.text("key"))
    }
}

impl<'a> Node<'a> {
    fn children(&self) -> impl Iterator<Item = (usize, &'a Entry)> + use<'a> {
        let tree = self.tree;
        let ids = tree
            .entries
            .get(self.id)
            .into_iter()
            .flat_map(|entry| &entry.children);
        ids.filter_map(|&id| Some((id, tree.entries.get(id)?)))
    }

    fn child(&self, key: &str) -> Option<Node<'a>> {
        self.children()
            .find(|(_, entry)| entry.key == key)
            .map(|(id, _)| Node {
                tree: self.tree,
                id,
            })
    }

    /// A text or number of this object.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.children()
            .find(|(_, entry)| entry.key == key)?
            .1
            .atom
            .clone()
    }

    /// The byte of the statement that it stands at.
    pub(crate) fn location(&self) -> Option<usize> {
        let at: u64 = self.text("query_location")?.parse().ok()?;
        if at == u64::MAX {
            None
        } else {
            usize::try_from(at).ok()
        }
    }

    /// The function that a `TABLE_FUNCTION` calls.
    pub(crate) fn table_function(&self) -> Option<String> {
        self.child("function")?.text("function_name")
    }

    pub(crate) fn arguments(&self) -> usize {
        self.child("children")
            .map_or(0, |list| list.children().count())
    }

    /// The last part of the name of a column reference.
    pub(crate) fn column(&self) -> Option<String> {
        if self.text("type")? != "COLUMN_REF" {
            return None;
        }
        self.child("column_names")?
            .children()
            .last()?
            .1
            .atom
            .clone()
    }
}

/// The length of the JSON string that a text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn strings_lists_and_nulls_are_told_apart() {
        let tree = Tree::of(
            r#"{"a": "x\"},{: \u00e9", "n" : null, "b":-1.5 ,"statements":[{"a":"y"},{}, []], "t":true}"#,
        );
        let root = |key: &str| tree.root(key);
        assert_eq!(root("a").as_deref(), Some("x\"},{: é"));
        assert_eq!(
            (root("n"), root("b"), root("t")),
            (None, Some("-1.5".into()), Some("true".into()))
        );
        assert_eq!(tree.statements(), 3);
        assert_eq!(
            tree.nodes()
                .filter_map(|node| node.text("a"))
                .collect::<Vec<_>>(),
            ["x\"},{: é", "y"]
        );
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = format!("{}{}", "{\"a\":[".repeat(200_000), "]}".repeat(200_000));
        assert_eq!(Tree::of(&deep).nodes().count(), 400_000);
    }
}
