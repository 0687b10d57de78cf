//! `madezip train`.

mod args;
#[cfg(feature = "torch")]
mod failures;
#[cfg(feature = "torch")]
mod records;
#[cfg(feature = "torch")]
mod stream;

pub(super) use args::TrainArgs;

#[cfg(feature = "torch")]
use anyhow::Result;

#[cfg(feature = "torch")]
use super::{console::Console, settings::Settings};
#[cfg(feature = "torch")]
use crate::engine::torch::TorchDevice;

/// What the model says that it was trained on, for people to know it by: what the user says,
/// else the names of the data, after those of a `base`.
#[cfg(feature = "torch")]
fn trained_on(args: &TrainArgs, base: Option<&std::path::Path>) -> String {
    if let Some(text) = &args.trained_on {
        return text.clone();
    }
    let data = &args.data;
    let name = |p: &std::path::PathBuf| {
        p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = data.iter().take(8).map(name).collect();
    if data.len() > names.len() {
        names.push(format!("{} more", data.len() - names.len()));
    }
    let names = names.join(", ");
    match base {
        None => names,
        Some(base) => format!("what {} was; {names}", base.display()),
    }
}

/// The device to train on, which is said.
#[cfg(feature = "torch")]
fn device(settings: &Settings, console: &Console) -> Result<TorchDevice> {
    let device = TorchDevice::open(&settings.device)?;
    let why = match settings.device.as_str() {
        "auto" => TorchDevice::why_no_cuda(),
        _ => None,
    };
    let why = why.map_or_else(String::new, |why| format!(" (CUDA cannot be used: {why})"));
    console.note(0, None, &format!("training with {}{why}", device.engine()));
    Ok(device)
}

#[cfg(feature = "torch")]
pub(super) fn run(args: TrainArgs, settings: &Settings, console: &Console) -> Result<()> {
    failures::guarded(|| match args.kind {
        args::Kind::Stream => stream::run(args, settings, console),
        args::Kind::Records => records::run(args, settings, console),
    })
}
