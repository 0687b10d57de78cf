//! On a CUDA device archives are the same as everywhere, and models can be trained there.
//!
//! Where there is none, a stand-in takes its place (`tests/cuda/stand_in.cpp`), which shows that
//! all tensors are where they belong, and how the program finds and loads libtorch's part for
//! CUDA. With `MADEZIP_NEEDS_CUDA=1` that is an error.
//!
//! `MADEZIP_LIBTORCH=F LD_LIBRARY_PATH=F`, where F is PyTorch's folder `torch/lib`, lets tests that
//! were built with another libtorch run on a device (without cargo, which has its own value).
#![cfg(all(feature = "torch", target_os = "linux"))]

mod common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use assert_cmd::cargo::cargo_bin;
use madezip::engine::torch::TorchDevice;
use tch::{Device, Kind, Tensor};

/// A libtorch with a device.
struct Libtorch {
    /// Where its libraries are, for `LD_LIBRARY_PATH`.
    folders: OsString,
    /// Whether the device is the stand-in.
    is_stand_in: bool,
}

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/digits.safetensors");

/// One for all tests.
fn libtorch() -> &'static Libtorch {
    static FOUND: OnceLock<Libtorch> = OnceLock::new();
    FOUND.get_or_init(|| {
        let linked = option_env!("MADEZIP_LIBTORCH").map(PathBuf::from);
        let own = std::env::var_os("MADEZIP_LIBTORCH").map(PathBuf::from).or(linked);
        let own = own.unwrap_or_else(|| "/usr/lib".into());
        match TorchDevice::open("cuda") {
            Ok(_) => Libtorch { folders: joined([own]), is_stand_in: false },
            Err(e) if std::env::var_os("MADEZIP_NEEDS_CUDA").is_some() => panic!("{e}"),
            Err(_) => Libtorch { folders: joined(stand_in(&own)), is_stand_in: true },
        }
    })
}

/// Folders, and what is searched else.
fn joined(folders: impl IntoIterator<Item = PathBuf>) -> OsString {
    let others = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let others: Vec<_> = std::env::split_paths(&others).collect();
    std::env::join_paths(folders.into_iter().chain(others)).expect("no colons")
}

/// The folders of a libtorch whose part for CUDA is the stand-in.
fn stand_in(libtorch: &Path) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libtorch-with-stand-in");
    std::fs::create_dir_all(&folder).expect("a folder");
    // other tests may do the same at this time
    let new = |name: &str| folder.join(format!("{name}.{}", std::process::id()));
    let put = |name: &str| {
        std::fs::rename(new(name), folder.join(name)).expect("renamed");
        // of two links to one file, renaming leaves both
        let _ = std::fs::remove_file(new(name));
    };
    // the program looks beside the file itself, not beside a link to it
    let (cpu, part) = ("libtorch_cpu.so", "libtorch_cuda.so");
    let from = libtorch.join(cpu).canonicalize().expect("libtorch is there");
    if std::fs::hard_link(&from, new(cpu)).is_err() {
        std::fs::copy(&from, new(cpu)).expect("libtorch is copied");
    }
    put(cpu);
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut words = compiler.split_whitespace();
    let made = Command::new(words.next().unwrap_or("c++"))
        .args(words)
        .args(["-std=c++17", "-fPIC", "-shared", "-ltorch_cpu", "-lc10", "-o"])
        .arg(new(part))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cuda/stand_in.cpp"))
        .arg("-I")
        .arg(libtorch.join("../include"))
        .arg("-L")
        .arg(libtorch)
        .status()
        .expect("a C++ compiler, as for the bindings of libtorch");
    assert!(made.success(), "the stand-in compiles");
    put(part);
    // what it finds from where it lies it would not find from there
    let needed = Command::new("ldd").arg(&from).output().expect("ldd starts").stdout;
    let needed = String::from_utf8_lossy(&needed).into_owned();
    let folders = needed.lines().filter_map(|line| {
        let path = Path::new(line.split("=> ").nth(1)?.split(" (").next()?);
        path.parent().filter(|folder| folder.is_absolute()).map(Path::to_path_buf)
    });
    let mut all = vec![folder.clone()];
    for folder in folders {
        let is_system = ["/lib", "/usr/lib"].iter().any(|system| folder.starts_with(system));
        if !is_system && !all.contains(&folder) {
            all.push(folder);
        }
    }
    all
}

/// A program with that libtorch, and nothing of the user's.
fn command(program: &str, folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(cargo_bin(program));
    command.current_dir(folder).args(arguments.split_whitespace());
    for variable in ["MADEZIP_OPT", "MADEZIP_MODEL_PATH", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.env("LD_LIBRARY_PATH", &libtorch().folders);
    command
}

/// Runs the program; what it says.
fn madezip(folder: &Path, arguments: &str) -> String {
    let output = command("madezip", folder, arguments).output().expect("madezip starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {said}");
    said
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("written")
}

/// Compresses a file there and by the native engine.
fn same_archive(folder: &Path, name: &str, model: &str, level: &str) {
    let compress = format!("compress -f -vv {model} {level} {name} -o");
    let said = madezip(folder, &format!("{compress} there --engine torch --device cuda"));
    assert!(said.contains("libtorch (cuda:0)"), "{said}");
    madezip(folder, &format!("{compress} here --engine native --device cpu"));
    assert!(read(folder, "there") == read(folder, "here"), "{name} {model} {level}");
    madezip(folder, &format!("decompress -f {model} there -o back"));
    assert!(read(folder, "back") == read(folder, name), "{name} {model} {level}");
}

#[test]
fn the_shipped_models_write_the_same_archives() {
    let folder = tempfile::tempdir().expect("a folder");
    let contents = [
        ("text", include_bytes!("cuda.rs").to_vec()),
        ("code", common::x86_code(500)),
        ("programs", common::x86_programs(60)),
        ("samples", common::signals(40)),
        ("pixels", common::strokes(300)),
    ];
    for (name, content) in contents {
        std::fs::write(folder.path().join(name), content).expect("written");
        for level in ["-1", "-6", "-9"] {
            same_archive(folder.path(), name, "", level);
        }
    }
    std::fs::write(folder.path().join("rows"), &common::strokes(300)[..98 * 20]).expect("written");
    same_archive(folder.path(), "rows", &format!("-m {DIGITS}"), "");
    // with libtorch a device is used without being asked for
    let said = madezip(
        folder.path(),
        &format!("compress -f -vv -m {DIGITS} rows -o there --engine torch"),
    );
    assert!(said.contains("libtorch (cuda:0)"), "{said}");
}

/// TF32 has 11 bits of an operand: sums have 64 bits where it is switched on.
#[test]
fn products_of_reduced_precision_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("rows"), &common::strokes(300)[..98 * 20]).expect("written");
    madezip(folder, &format!("compress -m {DIGITS} rows -o here --engine native"));
    for variable in ["NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"] {
        let arguments = format!("compress -f -m {DIGITS} rows -o there --device cuda");
        let mut command = command("madezip", folder, &arguments);
        let output = command.env(variable, "1").output().expect("madezip starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(read(folder, "there") == read(folder, "here"), "{variable}");
    }
}

/// Rows of 72 bits, of which some say what others are.
fn rows() -> Vec<u8> {
    let row = |n: u64| {
        let [a, b, c, ..] = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        [a, b, a, c, a ^ 255, b, a & c, c, b]
    };
    (0..600).flat_map(row).collect()
}

#[test]
fn records_models_are_trained_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("rows"), rows()).expect("written");
    for options in [
        "--hidden 20,20 --direct --dropout 0.2 --weight-decay 0.1",
        "--hidden 16 --orderings 2 --masks 2 --bf16",
        "--hidden 4 --tied",
        "--hidden 0 --ordering learned:chow-liu --l1 1",
        "--hidden 12,12 --shape 8x9 --window 3x3 --dropout 0.1 --moves 1",
    ] {
        let train =
            "train -f --kind records rows --dims 72 --epochs 2 --device cuda -o m.safetensors";
        let said = madezip(folder, &format!("{train} {options}"));
        assert!(said.contains("epoch 2/"), "{options}: {said}");
        same_archive(folder, "rows", "-m m.safetensors", "");
    }
    madezip(folder, "report rows -m m.safetensors --device cuda");
    madezip(folder, "sample -f -m m.safetensors -n 3 -o drawn --device cuda");
}

#[test]
fn stream_models_are_trained_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::create_dir(folder.join("data")).expect("made");
    let words = include_str!("determinism.rs").split_inclusive(' ').collect::<Vec<_>>();
    for n in 0..4usize {
        let text =
            (0..15_000).map(|i| words[(i * (n + 7) + i / 9) % words.len()]).collect::<String>();
        std::fs::write(folder.join(format!("data/{n}.txt")), text).expect("written");
    }
    std::fs::write(folder.join("text"), include_str!("determinism.rs")).expect("written");
    let train = "train --kind stream data --epochs 1 --bits 40000 --primed 2000 --device cuda";
    let language = "--language-bytes 20000 --language-recurrent 16,8 --language-bf16";
    madezip(folder, &format!("{train} {language} -o m.safetensors"));
    same_archive(folder, "text", "-m m.safetensors", "");
    madezip(folder, &format!("{train} --level best --base m.safetensors -o n.safetensors"));
    same_archive(folder, "text", "-m n.safetensors", "-9");
}

/// What a user of a device sees most often when something goes wrong.
#[test]
fn a_device_without_memory_left_is_an_error() {
    if !libtorch().is_stand_in {
        return; // a real one has too much
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("rows"), rows()).expect("written");
    for arguments in [
        "train --kind records rows --shape 8x9 --hidden 300 --device cuda -o m.safetensors",
        "train --kind records rows --dims 72 --hidden 300 --device cuda -o m.safetensors",
        "compress rows --engine torch --device cuda",
    ] {
        let mut command = command("madezip", folder, arguments);
        let output = command.env("STAND_IN_BYTES", "65536").output().expect("madezip starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(last.contains("libtorch: CUDA out of memory. Tried"), "{said}");
        assert!(!said.contains("panicked") && last.len() < 400, "{said}");
    }
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 1, "nothing is left");
}

/// A device is started where that pays, for records, and nobody needs to ask for it; but it may
/// have too little memory.
#[test]
fn long_passes_of_records_are_made_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let bitmaps = common::strokes(6000);
    for (rows, bytes, is_long) in [
        (30, u64::MAX, false),
        (330, u64::MAX, true),
        // not even for its weights, and for them alone
        (330, 1 << 16, true),
        (330, 1 << 22, true),
    ] {
        std::fs::write(folder.join("rows"), &bitmaps[..98 * rows]).expect("written");
        madezip(folder, &format!("compress -f -m {DIGITS} rows -o here --engine native"));
        let arguments = format!("compress -f -T 1 -m {DIGITS} rows -o there");
        let mut command = command("madezip-torch", folder, &arguments);
        command.env("STAND_IN_BYTES", bytes.to_string()).env("STAND_IN_TELLS", "1");
        let output = command.output().expect("madezip-torch starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(read(folder, "there") == read(folder, "here"), "{rows} rows, {bytes} bytes");
        if libtorch().is_stand_in {
            assert_eq!(said.contains("in use"), is_long, "{rows} rows: {said}");
        }
    }
}

/// The stand-in must not let anything through: the test's own test. In a process of its own,
/// which finds it when it starts.
#[test]
fn tensors_of_two_devices_are_refused() {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "two_devices", "--ignored"])
        .env("LD_LIBRARY_PATH", &libtorch().folders)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above"]
fn two_devices() {
    let device = TorchDevice::open("cuda").expect("there is one").device();
    assert!(TorchDevice::open("cuda:99").is_err());
    let here = Tensor::ones([2, 2], (Kind::Double, Device::Cpu));
    let there = Tensor::ones([2, 2], (Kind::Double, device));
    assert!(there.f_add(&there).is_ok());
    assert!(there.f_add(&here).is_err() && here.f_add(&there).is_err());
    assert!(there.f_matmul(&here).is_err());
    assert!(Tensor::f_cat(&[&there, &here], 0).is_err());
    assert_eq!(Vec::<f64>::try_from((&there + &there).flatten(0, -1)).expect("copied"), [2.0; 4]);
}
