//! madezip without a verb: stdin to stdout, as tar wants it.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Result, bail};

use super::args::{Limits, Tuning};
use super::codecs::{Chosen, Codecs};
use super::console::Console;
use super::job::Destination;
use super::settings::Settings;
use super::{compress, decompress};

pub(super) fn run(settings: &Settings, console: &Console) -> Result<()> {
    let stdin = Path::new("-");
    if io::stdin().is_terminal() {
        bail!("nothing to do: name a verb and a file, or use pipes; `madezip --help` shows how");
    }
    if settings.filter.decompress {
        let options = settings.decompress_options(&Limits::default());
        let codecs = Codecs::new(settings);
        decompress::one(stdin, &Destination::Stdout, false, false, &options, &codecs, console)
    } else {
        let model = Codecs::new(settings).choose(settings)?;
        let tuning = Tuning { level: settings.filter.level, ..Tuning::default() };
        let options = model.options(settings, &tuning, false)?;
        let codec = model.codec(options.verify)?;
        Chosen::check_level(codec.as_ref(), &options, console);
        compress::one(stdin, &Destination::Stdout, false, false, options, codec.as_ref(), console)
    }
}
