//! `madezip train --kind stream`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::args::{LevelArg, PartArg, StreamArgs, TrainArgs};
use crate::catalog::hex;
use crate::cli::codecs::Codecs;
use crate::cli::console::Console;
use crate::cli::settings::Settings;
use crate::made::file::{ModelFile, TRAINED_ON};
use crate::stream::coding::Level;
use crate::stream::content::Content;
use crate::stream::language::{Language, MAX_ROWS, MAX_UNITS};
use crate::stream::model::{MAX_TEXT, StreamModel};
use crate::stream::recurrent::MAX_STATE;
use crate::train::stream::{
    Adaptation, DEFAULT_LANGUAGE, DEFAULT_PRIMED, LanguageOptions, Options, adapt, checkpoint_of,
    contexts_of, train,
};

pub(super) fn run(args: TrainArgs, settings: &Settings, console: &Console) -> Result<()> {
    let output = &args.output;
    if output.exists() && !args.force {
        bail!("{} exists; -f overwrites it", output.display());
    }
    let base = match (&args.stream.base, args.stream.level) {
        (None, _) => None,
        (Some(base), None) => return adapt_to(base, &args, settings, console),
        (Some(base), Some(level)) => Some((read_base(base, settings)?, level.level())),
    };
    // a level that the base has keeps its contexts, which its primed slots go by
    let level = args.stream.level.map_or(Level::Default, LevelArg::level);
    let known = base.as_ref().and_then(|(base, level)| base.level(*level));
    let only = args.stream.part.map(PartArg::content);
    if let (Some(_), None) = (only, known) {
        bail!("--part: the base has no such level; train all of the level first");
    }
    let mut contexts = contexts_of(level).map(String::from);
    if let Some(known) = known {
        for (content, names) in Content::ALL.into_iter().zip(&mut contexts) {
            match known.own_part(content) {
                Some(part) => names.clone_from(&part.names),
                None if only == Some(content) => {}
                None => names.clear(),
            }
        }
    }
    let StreamArgs { contexts: plain, x86_contexts, signal_contexts, bilevel_contexts, .. } =
        &args.stream;
    for (own, names) in
        [plain, x86_contexts, signal_contexts, bilevel_contexts].into_iter().zip(&mut contexts)
    {
        if let Some(own) = own {
            names.clone_from(own);
        }
    }
    if let Some(part) = only
        && Content::ALL.into_iter().zip(&contexts).any(|(c, names)| c == part && names.is_empty())
    {
        bail!("--part: this level has no such part; name its contexts");
    }
    let units = match args.stream.units[..] {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        _ => bail!("--units takes one number or two, such as 32,32"),
    };
    let (first, second) = args.stream.language_units;
    if first == 0 || second == 0 || first > MAX_UNITS[0] || second > MAX_UNITS[1] {
        bail!("--language-units: at most {} and {}", MAX_UNITS[0], MAX_UNITS[1]);
    }
    let (rows, width) = args.stream.language_words;
    if width == 0 || !rows.is_power_of_two() || !(2..=MAX_ROWS).contains(&rows) {
        bail!("--language-words: a power of two from 2 to 65536, and a number of units");
    }
    let (rate, table_rate) = args.stream.language_rates;
    let recurrent = match args.stream.language_recurrent {
        None => None,
        Some((state, second)) => {
            let fits = (1..=MAX_STATE).contains(&state) && (1..=MAX_UNITS[1]).contains(&second);
            if !fits {
                bail!("--language-recurrent: from 1 to {MAX_STATE} units and to {}", MAX_UNITS[1]);
            }
            Some([state, second])
        }
    };
    tch::set_num_threads(settings.threads.max(1) as i32);
    let device = super::device(settings, console)?.device();
    let checkpoint = output.with_extension("checkpoint.safetensors");
    let trained_on = super::trained_on(&args, args.stream.base.as_deref());
    let language_ready = match &args.stream.language_of {
        None => None,
        Some(path) => {
            let read = || Language::from_file(&ModelFile::read(path)?);
            let language = read().with_context(|| format!("cannot use {}", path.display()))?;
            if language.is_none() {
                bail!("{} has no language model", path.display());
            }
            language
        }
    };
    let base = match &language_ready {
        None => base,
        ready => base.map(|(base, level)| (base.with_language(ready.clone()), level)),
    };
    let words = output.with_extension("language.safetensors");
    let kept = Content::ALL.map(|content| checkpoint_of(content, &checkpoint));
    if args.resume && !kept.iter().chain([&words]).any(|path| path.exists()) {
        bail!(
            "there is nothing to go on from beside {}: it was stopped before the first checkpoint \
             or under another name; leave out --resume",
            output.display()
        );
    }
    let language = LanguageOptions {
        inputs: args.stream.language.unwrap_or_else(|| DEFAULT_LANGUAGE.into()),
        rows,
        width,
        units: [first, second],
        recurrent,
        bytes: args.stream.language_bytes,
        bf16: args.stream.language_bf16,
        threads: settings.threads,
        rate,
        table_rate,
        seed: args.seed,
        from: args.stream.language_from,
        checkpoint: Some(words.clone()),
        resume: args.resume,
        device,
    };
    let options = Options {
        data: args.data,
        most: args.stream.most,
        base,
        contexts,
        only,
        primed_contexts: args.stream.primed_contexts.unwrap_or_else(|| DEFAULT_PRIMED.into()),
        primed: args.stream.primed,
        language,
        language_ready,
        recurrent_to: args.stream.recurrent_to,
        context_units: args.stream.context_units,
        units,
        limit: args.stream.limit,
        bits: args.stream.bits,
        epochs: args.epochs.unwrap_or(8),
        batch: args.stream.batch_bytes,
        rate: args.stream.rate,
        holdout: args.stream.holdout,
        seed: args.seed,
        checkpoint: Some(checkpoint.clone()),
        resume: args.resume,
        device,
    };
    let (mut file, outcome) = train(&options, &|text| console.note(0, None, text))?;
    file.metadata.insert(TRAINED_ON.into(), trained_on);
    file.write(output).with_context(|| format!("{} cannot be written", output.display()))?;
    let _ = std::fs::remove_file(words);
    for checkpoint in kept {
        let _ = std::fs::remove_file(checkpoint.with_extension("epoch"));
        let _ = std::fs::remove_file(checkpoint);
    }
    console.note(
        0,
        None,
        &format!(
            "{}: model {}, {:.4} bits/byte on held-out data ({:.4} by the network alone, {:.4} \
             before rounding), {:.0} s",
            output.display(),
            &hex(&file.id())[..12],
            outcome.coded,
            outcome.valid_quantized,
            outcome.valid,
            outcome.seconds
        ),
    );
    Ok(())
}

/// The model that `--base` names.
fn read_base(base: &Path, settings: &Settings) -> Result<StreamModel> {
    let mut settings = settings.clone();
    settings.models = vec![base.into()];
    let chosen = Codecs::new(&settings).choose(&settings)?;
    StreamModel::from_file(&chosen.file()?)
        .with_context(|| format!("{} is no model of any files", base.display()))
}

/// `--base`: a model that has read samples.
fn adapt_to(base: &Path, args: &TrainArgs, settings: &Settings, console: &Console) -> Result<()> {
    let text = args.stream.text;
    if text > MAX_TEXT {
        bail!("--text {text}: every block costs the time to read it; at most {MAX_TEXT}");
    }
    let model = read_base(base, settings)?;
    let adaptation =
        Adaptation { data: args.data.clone(), text, primed: args.stream.primed, seed: args.seed };
    let (model, adapted) = adapt(&model, &adaptation)?;
    let mut file = model.to_file();
    file.metadata.insert(TRAINED_ON.into(), super::trained_on(args, Some(base)));
    let output = &args.output;
    file.write(output).with_context(|| format!("{} cannot be written", output.display()))?;
    let say = |level, text: &str| console.note(level, None, text);
    say(
        0,
        &format!(
            "{}: model {}, of {} bytes of samples {} in the model; held-out samples: {:.4} \
             bits/byte by {}, {:.4} by a model of the others",
            output.display(),
            &hex(&file.id())[..12],
            adapted.bytes,
            adapted.text,
            adapted.before,
            base.display(),
            adapted.after
        ),
    );
    if adapted.after > 0.98 * adapted.before {
        say(0, "the samples help little: there are too few of them, or they are not alike");
    }
    Ok(())
}
