//! `ModelError`: which file or tensor, which shapes, what to do.

use crate::base::fs::PathError;

/// Why a model cannot be read, run or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The checkpoint is wrong; the text names the file, the tensor and the shapes.
    #[error("{0}")]
    Checkpoint(String),
    /// A computation failed.
    #[error("{}", told(.0))]
    Compute(#[from] candle_core::Error),
    /// A device is not there.
    #[error("{0}")]
    Device(String),
}

/// Why a computation failed, for whoever cannot know what a driver means.
#[must_use]
pub fn told(error: &candle_core::Error) -> String {
    let text = error.to_string();
    let is_out_of_memory =
        ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"].iter().any(|it| text.contains(it));
    if is_out_of_memory {
        return "the memory of the device is full; a smaller `batch_size` (with as much more `accumulate`, a training stays the \
                same) or `max_length` takes less"
            .to_owned();
    }
    text
}

/// The first line of what a backend says, which is followed by a backtrace at times, and the words of a driver without what
/// they are wrapped in: `DriverError(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")`.
pub(super) fn first_line(error: &candle_core::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or("no such device");
    let of_driver = line.strip_prefix("DriverError(").and_then(|rest| rest.strip_suffix("\")"));
    match of_driver.and_then(|rest| rest.split_once(", \"")) {
        Some((code, words)) => format!("{words} ({code})"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Error;

    use super::*;

    #[test]
    fn what_drivers_say_is_told() {
        let error = |text: &str| Error::Msg(text.to_owned());
        let full = error("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        let told_of = ModelError::Compute(full).to_string();
        assert!(told_of.starts_with("the memory of the device is full; a smaller `batch_size`"), "{told_of}");
        assert_eq!(told(&error("shapes differ")), "shapes differ");
        let none = error("DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")\n   0: frame");
        assert_eq!(first_line(&none), "no CUDA-capable device is detected (CUDA_ERROR_NO_DEVICE)");
        assert_eq!(first_line(&error("not built\nat all")), "not built");
    }
}
