//! Which files are found.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use comboi_sources::{Error, Look, worth_retrying};

use crate::shop::{Shop, chain, touch};

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

/// Whoever may write into the folder could have other files read by a link.
#[test]
fn links_out_of_the_folder_are_followed_by_option_only() {
    let mut shop = Shop::new("files: '**/*.csv'");
    let outside = shop.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.csv"), "n\n7\n").unwrap();
    shop.put("a.csv", "n\n1\n").put("sub/b.csv", "n\n2\n");
    symlink(outside.join("secret.csv"), shop.path("in/file.csv")).unwrap();
    symlink("../../outside/secret.csv", shop.path("in/sub/relative.csv")).unwrap();
    symlink(&outside, shop.path("in/folder")).unwrap();
    symlink("sub", shop.path("in/inside")).unwrap();
    symlink(outside.join("secret.csv"), shop.path("in/note.txt")).unwrap();
    assert_eq!(
        shop.run(),
        "3 rows\nsymbolic links that lead out of the source's folder are not read: `file.csv`, `folder`, \
         `inside/relative.csv`, `sub/relative.csv`; `follow_links: true` of the source reads them"
    );
    assert_eq!(
        shop.rows("n _comboi_file"),
        "1|a.csv\n2|inside/b.csv\n2|sub/b.csv"
    );
    shop.follow_links();
    assert_eq!(shop.run(), "4 rows");

    let mut shop = Shop::new("files: file.csv");
    std::fs::write(shop.path("secret.csv"), "n\n7\n").unwrap();
    symlink("../secret.csv", shop.path("in/file.csv")).unwrap();
    let said = shop.run();
    assert!(
        said.contains("`file.csv` is a symbolic link that leads out"),
        "{said}"
    );
    shop.follow_links();
    assert_eq!(shop.run(), "1 rows");
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

#[test]
fn what_is_no_file_is_never_opened() {
    let pipe = |shop: &Shop| {
        let mut command = std::process::Command::new("mkfifo");
        let status = command.arg(shop.path("in/pipe.csv")).status();
        assert!(status.unwrap().success());
    };
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("a.csv", "n\n1\n").put("folder.csv/x", "");
    pipe(&shop);
    assert_eq!(shop.run(), "1 rows");
    for name in ["pipe.csv", "folder.csv"] {
        let mut shop = Shop::new(&format!("files: {name}"));
        shop.put("folder.csv/x", "");
        pipe(&shop);
        let said = shop.run();
        assert!(said.contains(&format!("in/{name}` is no file")), "{said}");
    }
    let mut shop = Shop::new("files: link.csv");
    symlink("nowhere", shop.path("in/link.csv")).unwrap();
    let said = shop.run();
    assert!(said.starts_with("error: there is no file `"), "{said}");
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("a.csv", "n\n1\n").put("b.csv", "n\n2\n");
    let path = shop.path("in/b.csv");
    std::fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        // Nothing is denied to root, but this file ends in an error for everybody.
        std::fs::remove_file(&path).unwrap();
        symlink("/proc/self/mem", &path).unwrap();
        shop.follow_links();
    }
    let said = shop.run();
    assert!(said.starts_with("error: could not read `"), "{said}");
    assert!(
        said.contains("in/b.csv`; nothing of it was loaded: "),
        "{said}"
    );
    assert!(shop.known.is_none());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    // What is wrong with half a file is not told.
    for half in ["n\n1\n2\n", "n\n1\n2,", ""] {
        let mut shop = Shop::new("files: '*.csv'");
        shop.put("a.csv", "n\n0\n").put("b.csv", "n\n1\n");
        let Look::Work(work) = shop.look().unwrap() else {
            panic!("nothing new")
        };
        shop.put("b.csv", half);
        let error = shop.extract(&work).unwrap_err();
        assert!(matches!(&error, Error::ChangedWhileRead(name) if name == "b.csv"));
        assert!(worth_retrying(&error), "{}", chain(&error));
        assert!(shop.known.is_none() && shop.checkpoint.is_none());
        shop.put("b.csv", "n\n1\n2\n");
        assert_eq!(shop.run(), "3 rows");
    }
    // As long as before, but later.
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("a.csv", "n\n0\n");
    let Look::Work(work) = shop.look().unwrap() else {
        panic!("nothing new")
    };
    touch(&shop.path("in/a.csv"), 1);
    let error = shop.extract(&work).unwrap_err();
    assert!(matches!(error, Error::ChangedWhileRead(_)));
}
