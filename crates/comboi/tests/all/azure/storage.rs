//! A storage that fails, lies or sees its client die, at every write.

use std::process::Stdio;

use comboi_test::{ACCOUNT_KEY, Azurite, Mishap, Proxy};

use super::Cloud;

const DAY_TWO: &str = "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,\n5,2024-05-02,1.00\n";

/// Day one in the lake, day two waiting.
fn waiting(proxy: &Proxy) -> Cloud {
    let cloud = Cloud::small();
    cloud.world.run();
    cloud.world.write("in/orders/day2.csv", DAY_TWO);
    cloud.reach(&proxy.address(&Azurite::blob_endpoint()), ACCOUNT_KEY);
    cloud
}

/// What a run ends in that nothing happens to, and how often it writes.
fn calm(proxy: &Proxy) -> (String, usize) {
    let cloud = waiting(proxy);
    proxy.arrange(None);
    cloud.world.run();
    let writes = proxy.writes();
    let seen = cloud.seen();
    assert!(
        seen.contains("5,2024-05-02,1.00") && writes > 10,
        "{writes} {seen}"
    );
    (seen, writes)
}

/// After every fourth write; a handler is killed after each, and a program on a folder about every change.
#[test]
fn killed_after_a_write() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let (expected, writes) = calm(&proxy);
    for at in (1..=writes).step_by(4) {
        // Before the next write is after this one.
        let before = (at == 1).then_some(Mishap::KillBefore(1));
        for mishap in before.into_iter().chain([Mishap::KillAfter(at)]) {
            let cloud = waiting(&proxy);
            proxy.arrange(Some(mishap));
            let mut child = cloud
                .world
                .command(&["run", "all", "--jobs", "1"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            proxy.client(child.id());
            let status = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            assert_eq!(signal, Some(9), "{mishap:?}");
            proxy.arrange(None);
            cloud.world.run();
            assert_eq!(cloud.seen(), expected, "{mishap:?}");
            cloud.world.expect(0, &["vacuum", "--keep", "0s"]);
            assert_eq!(cloud.seen(), expected, "{mishap:?}, after a vacuum");
        }
    }
}

/// Whatever a vacuum was doing when it died, readers see what they saw, nothing is damaged, and the next one does the rest.
#[test]
fn a_vacuum_that_is_killed_at_every_write() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let aged = |proxy: &Proxy| {
        let cloud = waiting(proxy);
        proxy.arrange(None);
        cloud.world.run();
        cloud
    };
    let vacuum = ["vacuum", "--keep", "0s"];
    let calm = aged(&proxy);
    let expected = calm.seen();
    proxy.arrange(None);
    calm.world.expect(0, &vacuum);
    let writes = proxy.writes();
    let left = ["bronze", "silver", "gold"].map(|stage| calm.objects(stage).len());
    assert!(writes >= 4, "{writes}");
    for at in 1..=writes {
        let cloud = aged(&proxy);
        proxy.arrange(Some(Mishap::KillAfter(at)));
        let mut child = cloud
            .world
            .command(&vacuum)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        proxy.client(child.id());
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "write {at}");
        proxy.arrange(None);
        assert_eq!(cloud.seen(), expected, "killed after write {at}");
        cloud.world.expect(0, &["verify"]);
        cloud.world.expect(0, &vacuum);
        assert_eq!(cloud.seen(), expected, "after the next vacuum, {at}");
        let kept = ["bronze", "silver", "gold"].map(|stage| cloud.objects(stage).len());
        // A vacuum that says twice that earlier versions go has said it in the log once more.
        let more = kept
            .iter()
            .zip(left)
            .map(|(kept, left)| kept.abs_diff(left));
        assert!(more.sum::<usize>() <= 1, "write {at}: {kept:?} {left:?}");
    }
}

/// The run goes well all the same: what was done and not heard of is found out.
#[test]
fn answers_that_are_lost() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let (expected, writes) = calm(&proxy);
    for at in 1..=writes {
        let cloud = waiting(&proxy);
        proxy.arrange(Some(Mishap::LoseAnswer(at)));
        cloud.world.run();
        proxy.arrange(None);
        assert_eq!(cloud.seen(), expected, "answer {at} is lost");
    }
}

#[test]
fn a_storage_that_is_busy() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let (expected, writes) = calm(&proxy);
    for at in (1..=writes).step_by(5) {
        let cloud = waiting(&proxy);
        proxy.arrange(Some(Mishap::Busy(at)));
        cloud.world.run();
        proxy.arrange(None);
        assert_eq!(cloud.seen(), expected, "busy at write {at}");
    }
}

#[test]
fn a_run_that_finds_nothing_asks_little() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let cloud = waiting(&proxy);
    cloud.world.run();
    proxy.arrange(None);
    cloud.world.run();
    let requests = proxy.requests();
    // Eight of them find out which files were read, two whether the datasets' files are there.
    assert!(
        requests.len() < 64,
        "{} requests:\n{}",
        requests.len(),
        requests.join("\n")
    );
}
