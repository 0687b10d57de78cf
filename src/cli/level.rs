//! `-1` to `-9`.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// The level that was asked for, if one was: the last of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelArgs {
    pub number: Option<u8>,
}

const DIGITS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Args for LevelArgs {
    fn augment_args(command: Command) -> Command {
        command.args(DIGITS.map(|digit| {
            let arg = Arg::new(digit)
                .short(digit.chars().next())
                .action(ArgAction::SetTrue)
                .display_order(0)
                .overrides_with_all(DIGITS);
            match digit {
                "1" => arg.help("Much faster, a few per cent larger; -2 and -3 are the same"),
                "6" => arg.help("As without a level; -4 and -5 are the same"),
                "9" => arg.help("Smaller and slower, twice as much memory; -7 and -8 are the same"),
                _ => arg.hide(true),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LevelArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let number = (1..=9).zip(DIGITS).find(|(_, digit)| matches.get_flag(digit));
        Ok(Self { number: number.map(|(number, _)| number) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<u8> {
        let command = LevelArgs::augment_args(Command::new("madezip").no_binary_name(true));
        let matches = command.try_get_matches_from(words).unwrap();
        LevelArgs::from_arg_matches(&matches).unwrap().number
    }

    #[test]
    fn the_last_one_counts() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&["-1"]), Some(1));
        assert_eq!(parse(&["-9", "-2", "-7"]), Some(7));
        assert_eq!(parse(&["-5", "-5"]), Some(5));
    }
}
