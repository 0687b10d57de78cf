//! `madezip completions` and `madezip man`: both from the definition in `args`.

use anyhow::{Context, Result};

use super::args::{CompletionsArgs, ManArgs, command};
use super::json;

pub(super) fn completions(args: CompletionsArgs) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "madezip", &mut text);
    json::text_out(&String::from_utf8_lossy(&text))
}

pub(super) fn run(args: ManArgs) -> Result<()> {
    if let Some(dir) = args.dir {
        return clap_mangen::generate_to(command(), &dir)
            .with_context(|| format!("the pages cannot be written into {}", dir.display()));
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command()).render(&mut text)?;
    json::text_out(&String::from_utf8_lossy(&text))
}
