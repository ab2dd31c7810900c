use comboi_project::Columns;

use super::*;

/// One file after the other: its names, and the table's names for them.
fn check(known: &str, files: &[(&str, &str)]) {
    let column = |text: &str| {
        let (name, source_name) = text
            .split_once('=')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        Column {
            source_name: source_name.map(str::to_owned),
            ..Column::new(name, SqlType::BigInt)
        }
    };
    let known: Columns = known.split_terminator('|').map(column).collect();
    let mut names = Names::of(Some(&known));
    for (spelled, expected) in files {
        let assigned = names.assign(spelled.split('|'));
        let assigned: Vec<&str> = assigned.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(assigned.join("|"), *expected, "{spelled}");
    }
}

#[test]
fn what_delta_can_not_have_becomes_an_underscore_and_nothing_else_changes() {
    for (spelled, expected) in [
        ("Amount (EUR)", "Amount_EUR"),
        ("a\tb\nc", "a_b_c"),
        ("class_", "class_"),
        ("__index_level_0__", "__index_level_0__"),
        ("type__", "type__"),
        ("_", "_"),
        (" a ", "a"),
        ("(x)_", "x_"),
        ("größe", "größe"),
        ("a.b-c", "a.b-c"),
        ("()", "column"),
    ] {
        check("", &[(spelled, expected)]);
    }
}

#[test]
fn the_name_of_the_source_decides_whatever_the_order() {
    let files = [
        ("id|Amount (EUR)|Amount EUR", "id|Amount_EUR|Amount_EUR_1"),
        ("Amount EUR|Amount (EUR)|id", "Amount_EUR_1|Amount_EUR|id"),
        ("Amount EUR", "Amount_EUR_1"),
        ("Amount=EUR|Amount EUR", "Amount_EUR_2|Amount_EUR_1"),
    ];
    check("", &files);
}

#[test]
fn a_name_of_the_table_belongs_to_one_of_the_source_for_ever() {
    let known = "id=id|Amount_EUR=Amount (EUR)";
    check(known, &[("id|Amount EUR", "id|Amount_EUR_1")]);
    check(known, &[("id|Amount_EUR", "id|Amount_EUR_1")]);
    check(
        known,
        &[("id|x", "id|x"), ("Amount (EUR)|x", "Amount_EUR|x")],
    );
}

#[test]
fn case_counts_only_where_it_tells_two_columns_apart() {
    check("", &[("Id|Name", "Id|Name"), ("NAME|id", "Name|Id")]);
    let both = ("a|A", "a|A_1");
    check("", &[both, ("A|a", "A_1|a"), ("A", "A_1"), ("a", "a")]);
    check("", &[("a", "a"), ("A|a", "A_1|a")]);
    check("name=name|NAME_1=NAME", &[("Name", "Name_2")]);
    check("aa=aa", &[("Aa|aA", "Aa_1|aA_2")]);
}

#[test]
fn the_case_of_keys_always_counts() {
    let check = |known: &[(&str, Option<&str>)], keys: &[&str], expected: &[&str]| {
        let column = |(name, source_name): &(&str, Option<&str>)| Column {
            source_name: source_name.map(str::to_owned),
            ..Column::new(*name, SqlType::BigInt)
        };
        let known: Columns = known.iter().map(column).collect();
        let mut names = Names::of(Some(&known));
        for (keys, expected) in keys.iter().zip(expected) {
            let assigned = names.assign_keys(keys.split('|'));
            let assigned: Vec<&str> = assigned.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(assigned.join("|"), *expected, "{keys}");
        }
    };
    check(&[], &["a", "A", "A|a"], &["a", "A_1", "A_1|a"]);
    check(&[], &["A", "a", "A|a"], &["A", "a_1", "A|a_1"]);
    check(&[("a", Some("a"))], &["A"], &["A_1"]);
    // Of a table for which no source's name is noted.
    check(&[("a", None)], &["A", "a"], &["A_1", "a"]);
}

#[test]
fn names_that_are_there_twice_are_told_apart_by_their_place() {
    check("", &[("a|a|b", "a|a_1|b"), ("b|a|a", "b|a|a_1")]);
    check(
        "",
        &[("a|a|a [2]", "a|a_1|a_[2]"), ("a [2]|a|a", "a_[2]|a|a_1")],
    );
    check("", &[("a||b|", "a|column1|b|column3")]);
}

#[test]
fn a_table_of_earlier_keeps_its_names() {
    let known = "id|class|type|type_1|Amount_EUR";
    check(
        known,
        &[(
            "class_|id|type_|type__|Amount (EUR)",
            "class|id|type|type_1|Amount_EUR",
        )],
    );
    // One is away for a run; from then on it is the one that came first.
    check(
        known,
        &[
            ("id", "id"),
            ("class_|id", "class|id"),
            ("class|class_", "class_1|class"),
        ],
    );
}

#[test]
fn a_column_that_only_the_configuration_names_waits_for_its_source() {
    check(
        "id=id|class=",
        &[("id|class_", "id|class_"), ("class", "class")],
    );
    check("Amount_EUR=", &[("Amount (EUR)", "Amount_EUR")]);
}

#[test]
fn people_mean_the_name_of_the_source_first() {
    let columns = |text: &str| -> Columns {
        let column = |text: &str| {
            let (name, source_name) = text.split_once('=').unwrap();
            Column::new(name, SqlType::BigInt).of_source(source_name)
        };
        text.split('|').map(column).collect()
    };
    let check = |text: &str, name: &str, expected: Option<&str>| {
        let columns = columns(text);
        let found = meant(&columns, name).map(|it| it.name.as_str());
        assert_eq!(found, expected, "{text}: {name}");
    };
    let two = "Amount_EUR=Amount (EUR)|Amount_EUR_1=Amount EUR";
    check(two, "Amount EUR", Some("Amount_EUR_1"));
    check(two, "amount eur", Some("Amount_EUR_1"));
    check(two, "Amount_EUR", Some("Amount_EUR"));
    check(two, "amount_eur_1", Some("Amount_EUR_1"));
    check(two, "Amount", None);
    check("a=a|A_1=A", "A", Some("A_1"));
    check("x_1=y|y=x_1", "x_1", Some("y"));
}

#[test]
fn two_thousand_names_are_not_compared_with_each_other() {
    let spelled: Vec<String> = (0..20_000).map(|_| "a".to_owned()).collect();
    let assigned = Names::default().assign(spelled.iter().map(String::as_str));
    assert_eq!(assigned.last().unwrap().name, "a_19999");
}
