//! libtorch's failures while a model is trained.
//!
//! Operators of tch (`&a + &b`, `backward`) panic where libtorch throws, as it does when a
//! device has no memory left. That is no mistake of the program, and what libtorch says is one
//! line that users understand, and a stack of C++ that they do not.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};

use crate::parallel::lock;

/// What libtorch said last.
static SAID: Mutex<Option<String>> = Mutex::new(None);

/// Does the work; a panic of tch is an error, one of anybody else goes on. With `RUST_BACKTRACE`
/// all is reported as ever.
pub(super) fn guarded(work: impl FnOnce() -> Result<()>) -> Result<()> {
    *lock(&SAID) = None;
    let before = Arc::new(panic::take_hook());
    let report = before.clone();
    let is_debugged = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    panic::set_hook(Box::new(move |info| {
        // what `unwrap` says is a text of its own
        let said = info.payload().downcast_ref::<String>().and_then(|text| message(text));
        if said.is_none() || is_debugged {
            report(info);
        }
        if said.is_some() {
            *lock(&SAID) = said;
        }
    }));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(Box::new(move |info| before(info)));
    match done {
        Ok(result) => result,
        Err(payload) => match lock(&SAID).take() {
            Some(said) if said.contains("CUDA") => bail!(
                "libtorch: {said}. If there is a checkpoint beside the output, --resume \
                 --device cpu goes on from it"
            ),
            Some(said) => bail!("libtorch: {said}"),
            None => panic::resume_unwind(payload),
        },
    }
}

/// What libtorch said, of a panic that tch made of it: the first line of the text of a
/// `TchError::Torch`, as `unwrap` quotes it.
fn message(panic: &str) -> Option<String> {
    let (_, quoted) = panic.split_once(r#"on an `Err` value: Torch(""#)?;
    let mut said = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                None | Some('n') => break,
                Some(escaped) => said.push(escaped),
            },
            plain => said.push(plain),
        }
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn what_libtorch_says_is_an_error_of_one_line() {
        let wrong = || {
            let a = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
            drop(&a + Tensor::ones([4], (Kind::Float, Device::Cpu)));
            Ok(())
        };
        let error = guarded(wrong).unwrap_err().to_string();
        let said = "libtorch: The size of tensor a (3) must match the size of tensor b (4) at";
        assert!(error.starts_with(said) && !error.contains('\n'), "{error}");
        assert_eq!(guarded(|| bail!("else")).unwrap_err().to_string(), "else");
        assert!(panic::catch_unwind(|| guarded(|| unreachable!())).is_err());
        assert!(guarded(|| Ok(())).is_ok());
    }

    #[test]
    fn quotes_are_unquoted() {
        let panic = r#"called `Result::unwrap()` on an `Err` value: Torch("no \"x\"")"#;
        assert_eq!(message(panic).unwrap(), r#"no "x""#);
        let panic = r#"called `Result::unwrap()` on an `Err` value: Torch("C:\\new\nand more")"#;
        assert_eq!(message(panic).unwrap(), r"C:\new");
        assert_eq!(message("index out of bounds"), None);
    }
}
