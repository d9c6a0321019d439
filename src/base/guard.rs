//! Libraries that panic on damaged input: a panic of theirs is an error of ours.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

thread_local! {
    /// Whether a panic of this thread is awaited, and nobody is to be told of it.
    static IS_AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what reads untrusted bytes by a library that is known to panic on some; gives the text of its panic.
///
/// What it was about to make is dropped with it, so that nothing half-made is seen.
///
/// # Errors
/// When it panicked.
pub fn caught<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_AWAITED.get() {
                told(info);
            }
        }));
    });
    let before = IS_AWAITED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(read));
    IS_AWAITED.set(before);
    outcome.map_err(|panic| message(panic.as_ref()).to_owned())
}

/// What a panic said.
#[must_use]
pub fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught(|| 5), Ok(5));
        let empty: Vec<u8> = Vec::new();
        let told = caught(|| empty[std::hint::black_box(3)]).unwrap_err();
        assert!(told.contains("index out of bounds"), "{told}");
        assert_eq!(caught(|| caught::<()>(|| panic!("inside"))), Ok(Err("inside".to_owned())));
        assert!(!IS_AWAITED.get());
    }
}
