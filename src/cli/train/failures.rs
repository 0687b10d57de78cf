//! libtorch's failures while a model is trained.
//!
//! Operators of tch (`&a + &b`, `backward`) panic where libtorch throws, as it does when a
//! device has no memory left. That is no mistake of the program, and what libtorch says is one
//! line that users understand, and a stack of C++ that they do not.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

/// What libtorch said last.
static SAID: Mutex<Option<String>> = Mutex::new(None);

/// Does the work; a panic of tch is an error, one of anybody else goes on.
pub(super) fn guarded(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // what `unwrap` says is a text of its own
        let text = info.payload().downcast_ref::<String>();
        match text.and_then(|text| message(text)) {
            Some(said) => *lock() = Some(said),
            None => report(info),
        }
    }));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    // the hook before is the default one, which this installs
    drop(panic::take_hook());
    match done {
        Ok(result) => result,
        Err(payload) => match lock().take() {
            Some(said) => bail!(
                "libtorch: {said}. If there is a checkpoint beside the output, --resume goes on \
                 from it, with --device cpu too"
            ),
            None => panic::resume_unwind(payload),
        },
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<String>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What libtorch said, of a panic that tch made of it: the first line of the text of a
/// `TchError::Torch`, as `unwrap` quotes it.
fn message(panic: &str) -> Option<String> {
    let (_, quoted) = panic.split_once(r#"on an `Err` value: Torch(""#)?;
    let end = quoted.find("\\n").or_else(|| quoted.rfind('"')).unwrap_or(quoted.len());
    Some(quoted[..end].replace("\\\"", "\"").replace("\\\\", "\\"))
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
        assert_eq!(message("index out of bounds"), None);
    }
}
