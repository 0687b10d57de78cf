//! madezip without a verb: stdin to stdout, as tar wants it.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Result, bail};

use super::args::{Limits, Tuning};
use super::codecs::Codecs;
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
        let options = model.options(settings, &Tuning::default(), false)?;
        let codec = model.codec(options.verify)?;
        compress::one(stdin, &Destination::Stdout, false, false, options, codec.as_ref(), console)
    }
}
