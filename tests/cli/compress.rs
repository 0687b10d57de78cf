//! Files in, files out.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::folder::{Folder, text};

#[test]
fn there_and_back() {
    let content = text(3000);
    let f = Folder::with(&[("a.txt", &content)]);
    f.run(&["compress", "a.txt"]);
    assert_eq!(f.names(), ["a.txt", "a.txt.mdz"]);
    assert!(f.read("a.txt.mdz").len() < 2000);
    fs::remove_file(f.path("a.txt")).unwrap();
    f.run(&["decompress", "a.txt.mdz"]);
    assert_eq!(f.names(), ["a.txt", "a.txt.mdz"]);
    assert_eq!(f.read("a.txt"), content);
}

#[test]
fn shapes() {
    let noise: Vec<u8> =
        (0..70_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    let shapes: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("one", b"x"),
        ("zeros", &[0; 300_000]),
        ("noise", &noise),
        ("text", &text(70_000)),
        ("-dash", b"a name like an option"),
    ];
    let f = Folder::with(&shapes);
    for (name, content) in shapes {
        f.run(&["compress", "--rm", "--", name]);
        f.run(&["test", "--", &format!("{name}.mdz")]);
        f.run(&["decompress", "--rm", "--", &format!("{name}.mdz")]);
        assert_eq!(f.read(name), content, "{name}");
    }
    assert_eq!(f.names().len(), shapes.len());
}

#[test]
fn several_files_and_a_failing_one() {
    let f = Folder::with(&[("a", b"aaa"), ("b", b"bbb")]);
    let error = f.fails(1, &["compress", "a", "missing", "b"]);
    assert!(error.contains("missing: cannot be opened"), "{error}");
    assert_eq!(f.names(), ["a", "a.mdz", "b", "b.mdz"]);
    f.write("bad.mdz", b"no archive");
    fs::remove_file(f.path("b")).unwrap();
    let error = f.fails(1, &["decompress", "-f", "a.mdz", "bad.mdz", "b.mdz"]);
    assert!(error.contains("bad.mdz: not a madezip archive"), "{error}");
    assert_eq!(f.read("b"), b"bbb");
    assert!(!f.path("bad").exists());
}

#[test]
fn output_names() {
    let f = Folder::with(&[("a", b"aaa"), ("b", b"bbb"), ("out/old", b"")]);
    f.run(&["compress", "a", "-o", "x.bin"]);
    f.run(&["compress", "a", "b", "-o", "out"]);
    assert_eq!(f.read("out/a.mdz"), f.read("x.bin"));
    assert!(f.path("out/b.mdz").exists());
    // an archive is known by its content, whatever its name
    f.run(&["decompress", "x.bin", "-o", "y"]);
    assert_eq!(f.read("y"), b"aaa");
    let error = f.fails(1, &["decompress", "x.bin"]);
    assert!(error.contains("-o FILE"), "{error}");
    let error = f.fails(1, &["compress", "a", "b", "-o", "one"]);
    assert!(error.contains("one file"), "{error}");
    assert!(!f.path("one").exists());
    f.run(&["compress", "a", "-o", "t.tmdz"]);
    f.run(&["decompress", "t.tmdz"]);
    assert_eq!(f.read("t.tar"), b"aaa");
}

#[test]
fn nothing_is_overwritten_unasked() {
    let f = Folder::with(&[("a", b"aaa"), ("a.mdz", b"precious")]);
    let error = f.fails(1, &["compress", "a"]);
    assert!(error.contains("a.mdz exists; use -f"), "{error}");
    assert_eq!(f.read("a.mdz"), b"precious");
    f.run(&["compress", "-f", "a"]);
    f.write("a", b"changed");
    let error = f.fails(1, &["decompress", "a.mdz"]);
    assert!(error.contains("a exists; use -f"), "{error}");
    assert_eq!(f.read("a"), b"changed");
    f.run(&["decompress", "-f", "a.mdz"]);
    assert_eq!(f.read("a"), b"aaa");
    let error = f.fails(1, &["compress", "-f", "a", "-o", "a"]);
    assert!(error.contains("the input itself"), "{error}");
    assert_eq!(f.read("a"), b"aaa");
}

#[test]
fn no_output_replaces_what_is_still_to_be_read() {
    let f = Folder::with(&[("x", b"xx"), ("x.mdz", b"precious")]);
    for verb in ["compress", "decompress"] {
        let error = if verb == "compress" {
            f.fails(1, &["compress", "-f", "--rm", "x", "x.mdz"])
        } else {
            f.run(&["compress", "-f", "x.mdz"]);
            f.run(&["compress", "-f", "-o", "x.mdz", "x"]);
            f.fails(1, &["decompress", "-f", "--rm", "x.mdz.mdz", "x.mdz"])
        };
        assert!(error.contains("is itself to be read here"), "{error}");
        assert!(f.path("x").exists());
        if verb == "compress" {
            f.run(&["decompress", "--rm", "x.mdz.mdz"]);
            assert!(f.read("x") == b"xx" && f.read("x.mdz") == b"precious");
        }
    }
    assert_eq!(f.run(&["decompress", "-c", "x.mdz.mdz"]), b"precious");
    // archives in folders are not compressed again, not even with -f: it overwrites them
    let f = Folder::with(&[("d/x", b"xx"), ("d/x.mdz", b"stale")]);
    f.run(&["compress", "-r", "-f", "d"]);
    assert!(!f.path("d/x.mdz.mdz").exists());
    assert_eq!(f.run(&["decompress", "-c", "d/x.mdz"]), b"xx");
}

#[test]
fn no_input_replaces_what_another_has_just_become() {
    let f = Folder::with(&[("x/a", b"first"), ("y/a", b"second"), ("out/a.mdz", b"old")]);
    for order in [["x/a", "y/a"], ["y/./a", "x/a"]] {
        let error = f.fails(1, &["compress", "-f", "--rm", "-o", "out", order[0], order[1]]);
        assert!(error.contains("was just written for another input"), "{error}");
        let first = f.run(&["decompress", "-c", "out/a.mdz"]);
        // nothing is lost: one is an archive now, the other is where it was
        assert!(!f.path(order[0]).exists() && f.path(order[1]).exists());
        f.write(order[0], &first);
        assert!(f.read("x/a") == b"first" && f.read("y/a") == b"second");
    }
    f.run(&["compress", "-o", "b.tmdz", "x/a"]);
    f.run(&["compress", "-o", "b.tar.mdz", "y/a"]);
    let error = f.fails(1, &["decompress", "-f", "--rm", "b.tmdz", "b.tar.mdz"]);
    assert!(error.contains("was just written"), "{error}");
    assert!(f.read("b.tar") == b"first" && f.path("b.tar.mdz").exists());
}

#[test]
fn the_source_stays_unless_rm() {
    let f = Folder::with(&[("a", b"aaa")]);
    f.run(&["compress", "-k", "a"]);
    assert!(f.path("a").exists());
    f.run(&["compress", "-f", "--rm", "a"]);
    assert_eq!(f.names(), ["a.mdz"]);
    // the last one counts
    f.run(&["decompress", "--rm", "-k", "a.mdz"]);
    assert_eq!(f.names(), ["a", "a.mdz"]);
    f.run(&["decompress", "--rm", "-f", "a.mdz"]);
    assert_eq!(f.names(), ["a"]);
    // with -c there is no copy on disk
    f.run(&["compress", "--rm", "-c", "a"]);
    assert_eq!(f.names(), ["a"]);
    // no copy, no removal
    f.write("a.mdz", b"in the way");
    f.fails(1, &["compress", "--rm", "a"]);
    assert_eq!(f.read("a"), b"aaa");
}

#[cfg(unix)]
#[test]
fn a_link_is_not_removed() {
    let f = Folder::with(&[("real", b"aaa")]);
    std::os::unix::fs::symlink("real", f.path("link")).unwrap();
    let warning = f.fails(2, &["compress", "--rm", "link"]);
    assert!(warning.contains("is kept"), "{warning}");
    assert_eq!(f.names(), ["link", "link.mdz", "real"]);
}

#[test]
fn archives_are_left_alone() {
    let f = Folder::with(&[("a.mdz", b"x")]);
    let warning = f.fails(2, &["compress", "a.mdz"]);
    assert!(warning.contains("archive already"), "{warning}");
    assert_eq!(f.names(), ["a.mdz"]);
    assert_eq!(f.fails(2, &["compress", "-q", "a.mdz"]), "");
    f.run(&["compress", "-f", "a.mdz"]);
    assert_eq!(f.names(), ["a.mdz", "a.mdz.mdz"]);
}

#[test]
fn folders() {
    let f = Folder::with(&[("d/a", b"aaa"), ("d/e/b", b"bbb"), ("d/c.mdz", b"x")]);
    let error = f.fails(1, &["compress", "d"]);
    assert!(error.contains("-r goes into folders"), "{error}");
    f.run(&["compress", "-r", "--rm", "d"]);
    assert!(f.path("d/a.mdz").exists() && f.path("d/e/b.mdz").exists());
    assert!(!f.path("d/c.mdz.mdz").exists() && !f.path("d/a").exists());
    fs::remove_file(f.path("d/c.mdz")).unwrap();
    f.run(&["test", "-r", "d"]);
    let listed = String::from_utf8(f.run(&["list", "-r", "d"])).unwrap();
    let b = Path::new("d").join("e").join("b.mdz").display().to_string();
    assert!(listed.lines().count() == 3 && listed.contains(&*b), "{listed}");
    f.run(&["decompress", "-r", "--rm", "d"]);
    assert_eq!(f.read("d/e/b"), b"bbb");
    assert!(!f.path("d/e/b.mdz").exists());
}

#[test]
fn mode_and_time_are_carried_over() {
    let f = Folder::with(&[("a", b"aaa")]);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(f.path("a")).unwrap();
    file.set_modified(time).unwrap();
    #[cfg(unix)]
    let modes =
        [0o640, 0o444].map(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode);
    #[cfg(not(unix))]
    let modes = [file.metadata().unwrap().permissions()];
    drop(file);
    for mode in modes {
        fs::set_permissions(f.path("a"), mode).unwrap();
        let mode = fs::metadata(f.path("a")).unwrap().permissions();
        let check = |name: &str| {
            assert_eq!(f.names(), [name]);
            let m = fs::metadata(f.path(name)).unwrap();
            assert_eq!(m.permissions(), mode);
            assert_eq!(m.modified().unwrap(), time);
        };
        f.run(&["compress", "--rm", "a"]);
        check("a.mdz");
        f.run(&["decompress", "--rm", "a.mdz"]);
        check("a");
    }
}

#[test]
fn a_file_that_is_not_to_be_written_stays_so() {
    let f = Folder::with(&[("a", b"aaa")]);
    let mut mode = fs::metadata(f.path("a")).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(f.path("a"), mode).unwrap();
    f.run(&["compress", "a"]);
    f.run(&["decompress", "a.mdz", "-o", "b"]);
    for name in ["a.mdz", "b"] {
        assert!(fs::metadata(f.path(name)).unwrap().permissions().readonly(), "{name}");
    }
    assert_eq!(f.read("b"), b"aaa");
}

#[test]
fn the_archive_depends_on_the_content_alone() {
    let content = [text(131_072), vec![0; 131_072], text(5000)].concat();
    let f = Folder::with(&[("a", &content)]);
    let mut archives = Vec::new();
    // of three blocks, also two and three for each
    for threads in ["1", "2", "5", "6", "9"] {
        archives.push(f.run(&["compress", "-c", "-T", threads, "--block-size", "128K", "a"]));
    }
    assert!(archives.windows(2).all(|w| w[0] == w[1]));
    f.write("a.mdz", &archives[0]);
    for threads in ["1", "2"] {
        assert!(f.run(&["decompress", "-c", "-T", threads, "a.mdz"]) == content);
    }
}

#[test]
fn quiet_and_verbose() {
    let f = Folder::with(&[("a", b"aaa")]);
    assert_eq!(f.fails(1, &["compress", "-qq", "missing"]), "");
    assert!(f.fails(1, &["compress", "-q", "missing"]).contains("missing"));
    let said = f.fails(0, &["compress", "-v", "a"]);
    assert!(said.contains("model") && said.contains("3 bytes"), "{said}");
    f.madezip(&["decompress", "-f", "a.mdz"]).assert().success().stderr("").stdout("");
}

#[test]
fn verify() {
    let f = Folder::with(&[("a", &text(5000))]);
    f.run(&["compress", "--verify", "a"]);
    f.run(&["test", "a.mdz"]);
    // what is removed has been proven
    let said = f.fails(0, &["compress", "-v", "-f", "--rm", "a"]);
    assert!(said.contains("decoded and compared"), "{said}");
}

#[test]
fn ranges() {
    let content = [text(131_072), vec![0; 131_072], text(5000)].concat();
    let f = Folder::with(&[("a", &content)]);
    f.run(&["compress", "--block-size", "128K", "a"]);
    let part = |range: &str| f.run(&["decompress", "--range", range, "a.mdz"]);
    assert!(part("131070..131080") == content[131_070..131_080]);
    assert!(part("200K..") == content[200 << 10..]);
    assert_eq!(part("5..5"), b"");
    f.run(&["decompress", "--range", "..3", "-o", "b", "a.mdz"]);
    assert_eq!(f.read("b"), b"It ");
    let error = f.fails(1, &["decompress", "--range", "0..1G", "a.mdz"]);
    assert!(error.contains("267144 bytes"), "{error}");
    f.fails(1, &["decompress", "--range", "5..3", "a.mdz"]);
    let mut piped = f.madezip(&["decompress", "--range", "0..1"]);
    let out = piped.write_stdin(f.read("a.mdz")).assert().code(1);
    let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(error.contains("not a pipe"), "{error}");
}

#[test]
fn levels() {
    // prose, of which each level knows more than the one before it
    let prose = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/FORMAT.md")).unwrap();
    let content = &prose[..60_000];
    let f = Folder::with(&[("a", content)]);
    let packed = |options: &[&str]| f.run(&[&["compress", "-c", "a"], options].concat());
    let [fast, default, best] = ["-1", "-6", "-9"].map(|level| packed(&[level]));
    assert!(best.len() < default.len() && default.len() < fast.len());
    assert_eq!(packed(&[]), default);
    assert_eq!(packed(&["-7"]), best);
    assert_eq!(packed(&["-9", "-3"]), fast, "the last one counts");
    for archive in [&fast, &default, &best] {
        f.write("a.mdz", archive);
        assert_eq!(f.run(&["decompress", "-c", "a.mdz"]), content);
    }
    // a short file is never longer at the best level, which the model's own may well be
    let mut same = 0;
    for len in [20, 60, 300, 1000, 3000, 9000] {
        f.write("a", &content[5 * len..6 * len]);
        let [default, best] = ["-6", "-9"].map(|level| packed(&[level]));
        assert!(best.len() <= default.len(), "{len}");
        same += usize::from(best == default);
        f.write("a.mdz", &best);
        assert_eq!(f.run(&["decompress", "-c", "a.mdz"]), content[5 * len..6 * len]);
    }
    assert!(same > 0, "the default level is never the shorter one: take other lengths");
    // the filter, and the environment under it
    let filter = |options: &str, level: &[&str]| {
        let run = f.madezip(level).env("MADEZIP_OPT", options).write_stdin(content).assert();
        run.success().get_output().stdout.clone()
    };
    // of unknown length, which an archive this short does not hold
    assert_eq!(filter("-9", &[]), best);
    assert_eq!(filter("-9", &["-5"]), default);
}
