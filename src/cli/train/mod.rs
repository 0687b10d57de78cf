//! `madezip train`.

mod args;
#[cfg(feature = "torch")]
mod records;
#[cfg(feature = "torch")]
mod stream;

pub(super) use args::TrainArgs;

use anyhow::Result;

use super::console::Console;
use super::settings::Settings;

#[cfg(feature = "torch")]
pub(super) fn run(args: TrainArgs, settings: &Settings, console: &Console) -> Result<()> {
    match args.kind {
        args::Kind::Stream => stream::run(args, settings, console),
        args::Kind::Records => records::run(args, settings, console),
    }
}

#[cfg(not(feature = "torch"))]
pub(super) fn run(_: TrainArgs, _: &Settings, _: &Console) -> Result<()> {
    anyhow::bail!("this madezip was built without libtorch, which training needs")
}
