//! Which devices there are; `DeviceId` to candle's `Device`; which instruction sets the kernels may use.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use candle_core::Device;

use super::{ModelError, error::first_line};
use crate::{
    base::device::DeviceId,
    kernels::{isa, linear},
};

/// Whether a device is there, or why not, in words that say what to do.
///
/// # Errors
/// When it is not there, or the build has no support for its kind.
pub fn available(id: DeviceId) -> Result<(), String> {
    open(id).map(|_| ())
}

/// The candle device of a name.
///
/// # Errors
/// When it is not there.
pub fn candle_device(id: DeviceId) -> Result<Device, ModelError> {
    open(id).map_err(ModelError::Device)
}

/// Forbids the instruction sets above the named one (`generic`, `avx2`, `avx512`), for tests and for comparing kernels.
/// It must be called before the first computation: the instruction set is chosen once.
///
/// # Errors
/// When the name is unknown or the choice was made already.
pub fn limit_isa(name: &str) -> Result<(), String> {
    isa::limit(name)
}

/// The sets of kernels that compute on this processor, f32 and int8: their sums differ in the last bits.
pub fn kernels() -> String {
    format!("{}, {}", isa::Isa::detect().name(), int8_kernel())
}

/// The name of the int8 kernel that this processor runs, for benchmarks and `doctor`.
pub fn int8_kernel() -> &'static str {
    linear::int8_kernel_name()
}

/// The devices that were opened. Each time that one is opened it is another one to candle, whose tensors do not meet.
static OPENED: Mutex<BTreeMap<DeviceId, Device>> = Mutex::new(BTreeMap::new());

fn open(id: DeviceId) -> Result<Device, String> {
    if id == DeviceId::Cpu {
        return Ok(Device::Cpu);
    }
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = opened.get(&id) {
        return Ok(device.clone());
    }
    let device = open_anew(id)?;
    opened.insert(id, device.clone());
    Ok(device)
}

fn open_anew(id: DeviceId) -> Result<Device, String> {
    let (built, opened) = match id {
        DeviceId::Cpu => return Ok(Device::Cpu),
        DeviceId::Cuda(ordinal) => (cfg!(feature = "cuda"), cfg!(feature = "cuda").then(|| Device::new_cuda(ordinal))),
        DeviceId::Metal(ordinal) => {
            (cfg!(feature = "metal"), cfg!(feature = "metal").then(|| Device::new_metal(ordinal)))
        }
    };
    match opened {
        Some(Ok(device)) => Ok(device),
        Some(Err(error)) => Err(format!("`{id}` is not there: {}", first_line(&error))),
        None => {
            debug_assert!(!built, "a built feature is opened");
            Err(format!("`{id}` needs a build with `--features {}`", id.kind()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_there_and_the_rest_answers_politely() {
        assert_eq!(available(DeviceId::Cpu), Ok(()));
        for id in [DeviceId::Cuda(0), DeviceId::Metal(1)] {
            if let Err(text) = available(id) {
                assert!(text.starts_with(&format!("`{id}` ")), "{text}");
            }
        }
        #[cfg(not(feature = "cuda"))]
        assert_eq!(available(DeviceId::Cuda(0)).unwrap_err(), "`cuda:0` needs a build with `--features cuda`");
    }
}
