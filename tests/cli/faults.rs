//! Bad days: killed, out of space, out of patience, many at a time.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use madezip::made::random::SplitMix64;

use crate::folder::{Folder, ending_signals};

/// Bytes that take a while and do not repeat.
fn slow(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = SplitMix64::new(seed);
    (0..len).map(|_| b"etaoin shrdlu\n"[rng.below(14)]).collect()
}

/// How often something is repeated: all of it without libtorch, which takes a fifth of
/// a second to load; a part of it with.
fn times(all: usize) -> usize {
    if cfg!(feature = "torch") { all / 4 } else { all }
}

/// Names that do not belong to a killed run.
fn lasting(f: &Folder) -> Vec<String> {
    f.names()
        .into_iter()
        .filter(|n| !(n.starts_with(".madezip-") && n.ends_with(".part")))
        .collect()
}

#[test]
fn killed_at_any_moment() {
    let content = slow(20_000, 1);
    let f = Folder::with(&[("a", &content)]);
    let mut rng = SplitMix64::new(5);
    let (mut done, rounds) = (0, times(40));
    for _ in 0..rounds {
        let decompress = f.path("a.mdz").exists();
        let verb = if decompress { "decompress" } else { "compress" };
        let name = if decompress { "a.mdz" } else { "a" };
        let mut child = f.process(&[verb, "--rm", name]).spawn().unwrap();
        // as long as a run takes, more or less, and libtorch to load
        let most = if cfg!(feature = "torch") { 600_000 } else { 200_000 };
        std::thread::sleep(Duration::from_micros(rng.below(most) as u64));
        let _ = child.kill();
        let status = child.wait().unwrap();
        done += usize::from(status.success());
        // one of the two is there and whole; both, if it died between the last two steps
        let names = lasting(&f);
        assert!(!names.is_empty() && names.iter().all(|n| n == "a" || n == "a.mdz"), "{names:?}");
        if names.contains(&"a".into()) {
            assert!(f.read("a") == content);
        }
        if names.contains(&"a.mdz".into()) {
            assert!(f.run(&["decompress", "-c", "a.mdz"]) == content);
        }
        if names.len() == 2 {
            fs::remove_file(f.path(if decompress { "a.mdz" } else { "a" })).unwrap();
        }
    }
    assert!(done < rounds, "every run ended before it was killed");
}

#[test]
fn a_signal_stops_decompression_too() {
    let f = Folder::with(&[("a", &slow(140_000, 2))]);
    f.run(&["compress", "--block-size", "128K", "--rm", "a"]);
    let archive = f.read("a.mdz");
    for (name, number) in ending_signals() {
        let mut child =
            f.process(&["decompress", "-o", "out"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // the last bytes never come
        stdin.write_all(&archive[..archive.len() - 10]).unwrap();
        while !f.names().iter().any(|n| n.starts_with(".madezip-")) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(f.names(), ["a.mdz"]);
        drop(stdin);
    }
}

/// Runs a script in a folder `d` that is a file system of 100 KB. None if the
/// system does not let us make one.
fn on_a_small_disk(f: &Folder, script: &str) -> Option<String> {
    let script = format!(
        "mkdir -p d && mount -t tmpfs -o size=100k none d && echo mounted && {{ {script}; }} 2>&1"
    );
    let namespace = if rustix::process::getuid().is_root() { "-m" } else { "-rm" };
    let out = Command::new("unshare")
        .args([namespace, "sh", "-c", &script, "sh"])
        .arg(cargo_bin!("madezip"))
        .current_dir(f.path("."))
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    match said.strip_prefix("mounted\n") {
        Some(said) => Some(said.to_string()),
        None => {
            eprintln!("NOT TESTED, no small disk: {}", String::from_utf8_lossy(&out.stderr));
            None
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_partial_file() {
    let mut rng = SplitMix64::new(3);
    let noise: Vec<u8> = (0..140_000).map(|_| rng.next_u64() as u8).collect();
    let f = Folder::with(&[("a", &noise)]);
    f.run(&["compress", "a"]);
    for command in ["compress a -o d/a.mdz", "decompress a.mdz -o d/a", "compress --rm -f -o d a"] {
        let Some(said) = on_a_small_disk(&f, &format!("\"$1\" {command}; echo $?; ls -A d")) else {
            return;
        };
        let lines: Vec<&str> = said.lines().collect();
        // the error, the exit code, and no file
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].contains("No space left"), "{said}");
        assert_eq!(lines[1], "1", "{said}");
        assert_eq!(f.names(), ["a", "a.mdz", "d"]);
    }
    // what was there before is still there
    let said = on_a_small_disk(&f, "echo old >d/a.mdz; \"$1\" compress -f a -o d; cat d/a.mdz");
    assert!(said.unwrap().ends_with("old\n"));
}

#[test]
fn many_at_a_time_in_one_folder() {
    // the soak makes it a thousand
    let rounds =
        std::env::var("MADEZIP_TEST_INVOCATIONS").map_or(times(200), |n| n.parse().unwrap());
    let files: Vec<(String, Vec<u8>)> =
        (0..10).map(|i| (format!("f{i}"), slow(500 + 37 * i, i as u64))).collect();
    let f = Folder::new();
    for (name, content) in &files {
        f.write(name, content);
    }
    let mut running = Vec::new();
    for i in 0..rounds {
        if running.len() == 50 {
            let mut child: std::process::Child = running.remove(0);
            assert!(child.wait().unwrap().success());
        }
        // several write the same archive at the same time
        let name = &files[i % files.len()].0;
        running.push(f.process(&["compress", "-T", "1", "-f", name]).spawn().unwrap());
    }
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(f.names().len(), 20, "{:?}", f.names());
    for (name, content) in &files {
        assert!(f.run(&["decompress", "-c", &format!("{name}.mdz")]) == *content);
    }
}

/// As in a full container: what threads would do, one does.
#[cfg(target_os = "linux")]
#[test]
fn no_threads_to_be_had() {
    let content = slow(300_000, 7);
    let f = Folder::with(&[("a", &content)]);
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("NOT TESTED: there is no prlimit");
        return;
    }
    // where a user without rights may run it
    fs::copy(cargo_bin!("madezip"), f.path("madezip")).unwrap();
    fs::set_permissions(f.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new("prlimit");
        command.arg("--nproc=1").arg(f.path("madezip")).args(args);
        if rustix::process::getuid().is_root() {
            // whom the limit does not hold for
            command.uid(12345);
        }
        command
    };
    let limited = |args: &[&str], input: &str| {
        let input = fs::File::open(f.path(input)).unwrap();
        let out = command(args).stdin(input).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains("signals cannot be watched"), "a thread was to be had: {said}");
        assert!(out.status.code() == Some(2), "{args:?}: {said}");
        out.stdout
    };
    for blocks in ["128K", "1M"] {
        let args = ["compress", "-T", "3", "--block-size", blocks];
        let unlimited = f.madezip(&args).write_stdin(content.clone()).assert().success();
        let archive = limited(&args, "a");
        assert!(unlimited.get_output().stdout == archive);
        f.write("a.mdz", &archive);
        assert!(limited(&["decompress", "-T", "3"], "a.mdz") == content);
    }
    // signals end it, as they end a program that does not know them
    let mut child = command(&["compress"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 10];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn the_owner_goes_with_the_file() {
    if !rustix::process::getuid().is_root() {
        eprintln!("NOT TESTED: only the super-user gives files away");
        return;
    }
    let f = Folder::with(&[("a", b"aaa")]);
    std::os::unix::fs::chown(f.path("a"), Some(12345), Some(23456)).unwrap();
    fs::set_permissions(f.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
    f.run(&["compress", "a"]);
    let m = fs::metadata(f.path("a.mdz")).unwrap();
    assert_eq!((m.uid(), m.gid(), m.mode() & 0o777), (12345, 23456, 0o640));
}

#[test]
fn pipes_take_bounded_memory() {
    // 300 MB of content through one thread with small blocks
    let f = Folder::new();
    let zeros = vec![0u8; 1 << 20];
    let mut child = f
        .process(&["compress", "-T", "1", "--block-size", "1M"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(f.path("a.mdz")).unwrap())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..300 {
        stdin.write_all(&zeros).unwrap();
    }
    // the program has seen all but a pipe's worth and still runs
    let peak = peak_memory(child.id());
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(peak.is_none_or(|kb| kb < 200_000), "{peak:?} KB");

    let archive = f.read("a.mdz");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child =
        f.process(&["-d", "-T", "1"]).stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || stdin.write_all(&archive).unwrap());
    let (mut reader, mut seen) = (reader, 0u64);
    let mut buf = vec![1; 1 << 16];
    let mut peak = None;
    loop {
        let n = std::io::Read::read(&mut reader, &mut buf).unwrap();
        if n == 0 {
            break;
        }
        assert!(buf[..n].iter().all(|&b| b == 0));
        seen += n as u64;
        if seen > 290 << 20 && peak.is_none() {
            peak = peak_memory(child.id());
        }
    }
    assert_eq!(seen, 300 << 20);
    assert!(child.wait().unwrap().success());
    assert!(peak.is_none_or(|kb| kb < 200_000), "{peak:?} KB");
}

/// The most memory that a process has had, in KB.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn the_memory_limit_holds() {
    let f = Folder::with(&[("a", &slow(300_000, 4))]);
    f.run(&["compress", "--block-size", "128K", "--rm", "a"]);
    // what fits one block takes threads away, what does not fit is refused
    for limit in ["400M", "200M"] {
        let mut child = f
            .process(&["decompress", "-T", "4", "--memlimit", limit, "-c", "a.mdz"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (mut content, mut peak) = (Vec::<u8>::new(), None);
        let mut buf = vec![0; 1 << 12];
        loop {
            let n = std::io::Read::read(&mut out, &mut buf).unwrap();
            if n == 0 {
                break;
            }
            content.extend(&buf[..n]);
            peak = peak_memory(child.id()).or(peak);
        }
        assert!(child.wait().unwrap().success());
        assert!(content == slow(300_000, 4));
        let bound = limit.trim_end_matches('M').parse::<u64>().unwrap() * 1024;
        // the program itself: its code, the models in it, its threads' stacks, libtorch
        let program = if cfg!(feature = "torch") { 200_000 } else { 25_000 };
        assert!(peak.is_none_or(|kb| kb < bound + program), "{peak:?} KB, limit {limit}");
    }
    assert!(f.fails(1, &["test", "--memlimit", "10M", "a.mdz"]).contains("--memlimit"));
}
