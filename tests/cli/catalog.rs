//! Where models are found and installed. `XDG_DATA_HOME` says so on Linux.

use std::fs;

use madezip::made::file::TRAINED_ON;
use madezip::records::RecordsModel;

use crate::folder::Folder;
use crate::models::{rows, small};

/// A folder with a model `m.safetensors` and `a.mdz`, a long archive that needs it.
fn archive() -> Folder {
    let f = Folder::with(&[("a", &rows(&small(1), 140_000))]);
    small(1).to_file().write(&f.path("m.safetensors")).unwrap();
    f.run(&["compress", "-m", "m.safetensors", "--rm", "a"]);
    f
}

fn id(model: &RecordsModel) -> String {
    model.to_file().id().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn the_search_path() {
    let f = archive();
    fs::create_dir(f.path("models")).unwrap();
    fs::create_dir_all(f.path("data/madezip/models")).unwrap();
    // beside the archive
    assert!(f.run(&["decompress", "-c", "a.mdz"]) == rows(&small(1), 140_000));
    // nowhere: the error names the id and every place
    fs::rename(f.path("m.safetensors"), f.path("models/m.safetensors")).unwrap();
    let data = f.path("data");
    let run = |model_path: &str, args: &[&str]| {
        let mut command = f.madezip(args);
        command.env("MADEZIP_MODEL_PATH", model_path).env("XDG_DATA_HOME", &data);
        command.assert()
    };
    let out = run("elsewhere", &["decompress", "-c", "a.mdz"]).code(1).stdout("");
    let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    for word in [&id(&small(1)), "shipped", "elsewhere", "data/madezip/models", "-m FILE"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    // by option, by environment, in the user's folder
    run("", &["decompress", "-c", "-m", "models", "a.mdz"]).success();
    run("", &["decompress", "-c", "-m", "models/m.safetensors", "a.mdz"]).success();
    run("nothing:models", &["decompress", "-c", "a.mdz"]).success();
    fs::rename(f.path("models/m.safetensors"), f.path("data/madezip/models/m.safetensors"))
        .unwrap();
    run("", &["decompress", "-c", "a.mdz"]).success();
    run("", &["compress", "-c", "-m", "m", "a.mdz", "-f"]).success();
}

#[test]
fn install_list_remove() {
    let f = Folder::new();
    let mut file = small(1).to_file();
    file.metadata.insert(TRAINED_ON.into(), "rows of a test".into());
    file.write(&f.path("m.safetensors")).unwrap();
    small(2).to_file().write(&f.path("other.safetensors")).unwrap();
    let data = f.path("data");
    let run = |code: i32, args: &[&str]| {
        let out = f.madezip(args).env("XDG_DATA_HOME", &data).assert().code(code);
        let out = out.get_output();
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (text(&out.stdout), text(&out.stderr))
    };
    run(0, &["models", "install", "m.safetensors"]);
    let (listed, _) = run(0, &["models"]);
    assert!(listed.contains("rows of a test") && listed.contains("default"), "{listed}");
    let (listed, _) = run(0, &["models", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let m = listed["files"].as_array().unwrap().iter().find(|m| m["name"] == "m").unwrap();
    assert_eq!(m["kind"], "records");
    assert_eq!(m["trained_on"], "rows of a test");
    assert_eq!(m["bytes"], fs::metadata(f.path("m.safetensors")).unwrap().len());
    // again is nothing new; another of that name is
    run(0, &["models", "install", "m.safetensors"]);
    let (_, error) = run(1, &["models", "install", "other.safetensors", "--name", "m"]);
    assert!(error.contains("another model m"), "{error}");
    run(0, &["models", "install", "other.safetensors", "--name", "m", "-f"]);
    for name in ["default", "", "../m", ".m", "a/b"] {
        let (_, error) = run(1, &["models", "install", "m.safetensors", "--name", name]);
        assert!(error.contains("no name"), "{name}: {error}");
    }
    run(0, &["models", "remove", "m"]);
    assert!(run(1, &["models", "remove", "m"]).1.contains("no model"));
    run(1, &["models", "remove", "../madezip/models/m"]);
    assert!(fs::read_dir(data.join("madezip/models")).unwrap().next().is_none());
}
