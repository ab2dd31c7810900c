//! Which files are found.

use std::os::unix::fs::symlink;

use comboi_sources::Look;

use crate::shop::Shop;

fn check(patterns: &str, files: &[&str], expected: &str) {
    let shop = Shop::new(&format!("files: {patterns}\nformat: csv"));
    for name in files {
        shop.put(name, "a\n1\n");
    }
    let found = match shop.look().unwrap() {
        Look::NothingNew { .. } => String::new(),
        Look::Work(work) => work
            .files
            .iter()
            .map(|file| file.name.clone())
            .collect::<Vec<_>>()
            .join(" "),
    };
    assert_eq!(found, expected);
}

#[test]
fn patterns() {
    let files = [
        "b.csv",
        "a.csv",
        "sub/c.csv",
        "sub/deep/d.csv",
        "x.txt",
        ".hidden.csv",
        "_temporary/e.csv",
        "half.csv.tmp",
    ];
    check("'*.csv'", &files, "a.csv b.csv");
    check("'**/*.csv'", &files, "a.csv b.csv sub/c.csv sub/deep/d.csv");
    check("'sub/*'", &files, "sub/c.csv");
    check(
        "['{a,b}.csv', 'a*', sub/c.csv]",
        &files,
        "a.csv b.csv sub/c.csv",
    );
    check("'*.json'", &files, "");
}

#[test]
fn hostile_names_are_names() {
    let names = [
        "it's.csv",
        "say \"hi\".csv",
        "a[1].csv",
        "a1.csv",
        "star*.csv",
        "what?.csv",
        "ümläut.csv",
        "b {x}.csv",
        "two\nlines.csv",
        "%20.csv",
        "-rf.csv",
        "semi;colon.csv",
    ];
    let mut shop = Shop::new("files: '*.csv'");
    for (i, name) in names.iter().enumerate() {
        shop.put(name, format!("n\n{i}\n"));
    }
    assert_eq!(shop.run(), "12 rows");
    let mut expected: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| format!("{i}|{}", name.replace('\n', "⏎")))
        .collect();
    expected.sort();
    assert_eq!(shop.rows("n _comboi_file"), expected.join("\n"));
}

#[test]
fn folders_and_links() {
    let mut shop = Shop::new("files: '**/*.csv'");
    shop.put("a.csv", "n\n1\n")
        .put("folder.csv/b.csv", "n\n2\n");
    symlink("..", shop.path("in/folder.csv/loop")).unwrap();
    symlink("nowhere", shop.path("in/dangling")).unwrap();
    assert_eq!(shop.run(), "2 rows");
    symlink("nowhere", shop.path("in/dangling.csv")).unwrap();
    assert!(shop.run().contains("dangling.csv"));
}

#[test]
fn what_is_not_there() {
    assert_eq!(
        Shop::new("files: '*.csv'").run(),
        "nothing new\nno file matches `*.csv`"
    );
    let said = Shop::new("files: a.csv").run();
    assert!(
        said.starts_with("error: there is no file `") && said.contains("in/a.csv"),
        "{said}"
    );
    let shop = Shop::new("files: '*.csv'");
    std::fs::remove_dir(shop.path("in")).unwrap();
    assert!(shop.look().is_err());
}

#[test]
fn patterns_stay_below_the_folder() {
    for pattern in ["../*.csv", "/etc/*.csv", "a/../../b.csv"] {
        let shop = std::panic::catch_unwind(|| Shop::new(&format!("files: '{pattern}'")).run());
        // The configuration may refuse it already.
        assert!(
            shop.is_err() || shop.unwrap().contains("does not stay below"),
            "{pattern}"
        );
    }
}

#[test]
fn many_small_files_are_one_statement() {
    let mut shop = Shop::new("files: '*.csv'\ncolumns: {a: BIGINT}");
    for i in 0..2000 {
        shop.put(&format!("{i}.csv"), format!("a,b\n{i},x\n"));
    }
    assert_eq!(shop.run(), "2000 rows");
    assert_eq!(shop.known.as_ref().unwrap().files.len(), 1);
}

#[test]
fn staged_files_are_as_large_as_the_stage_allows() {
    let text = |i: u64| format!("{:016x}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let lines: String = (0..60_000).map(|i| format!("{i},{}\n", text(i))).collect();
    let mut rows: Vec<String> = (0..60_000).map(|i| format!("{i}|{}", text(i))).collect();
    rows.sort();
    let run = |stages: &str| {
        let mut shop = Shop::new("");
        shop.configure_stages(stages, "files: '*.csv'\ncolumns: {t: VARCHAR}");
        shop.put("a.csv", format!("id,t\n{lines}"));
        assert_eq!(shop.run(), "60000 rows");
        assert!(shop.rows("id t") == rows.join("\n"), "{stages}: other rows");
        let files = shop.known.as_ref().unwrap().files.iter();
        let sizes = files.map(|file| std::fs::metadata(file).unwrap().len());
        sizes.collect::<Vec<_>>()
    };
    assert_eq!(run("").len(), 1);
    let small = run("bronze: {max_file_size: 100KB}");
    assert!(small.len() > 3, "{small:?}");
    assert!(small.iter().all(|size| *size < 200_000), "{small:?}");
}
