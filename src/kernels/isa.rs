//! Which instruction sets this processor has, and the macro that compiles a kernel for each.

use std::sync::OnceLock;

/// An instruction set that kernels are compiled for; the greatest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What the target promises, with plain loops.
    Generic,
    /// ARM's 64-bit processors, all of which have it.
    Neon,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL besides.
    Avx512,
}

static LIMIT: OnceLock<Isa> = OnceLock::new();
static CHOSEN: OnceLock<Isa> = OnceLock::new();

impl Isa {
    /// Those that kernels are compiled for on this architecture, the least first.
    const KNOWN: &[Self] = if cfg!(target_arch = "aarch64") {
        &[Self::Generic, Self::Neon]
    } else {
        &[Self::Generic, Self::Avx2, Self::Avx512]
    };

    /// The instruction set that kernels run with. It is chosen at the first call.
    pub fn detect() -> Self {
        *CHOSEN.get_or_init(|| Self::of_processor().min(LIMIT.get().copied().unwrap_or(Self::Avx512)))
    }

    fn of_processor() -> Self {
        // Miri interprets plain loops; it does not know all instructions.
        #[cfg(miri)]
        return Self::Generic;
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx2, avx512) {
                (true, true) => Self::Avx512,
                (true, false) => Self::Avx2,
                (false, _) => Self::Generic,
            }
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        return if std::arch::is_aarch64_feature_detected!("neon") { Self::Neon } else { Self::Generic };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", miri)))]
        Self::Generic
    }

    /// All instruction sets of this processor, the least first.
    pub fn all() -> Vec<Self> {
        Self::KNOWN.iter().copied().filter(|isa| *isa <= Self::of_processor()).collect()
    }

    /// `generic`, `neon`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Forbids the instruction sets above the named one.
///
/// # Errors
/// When the name is unknown, or the choice was made already.
pub fn limit(name: &str) -> Result<(), String> {
    let Some(isa) = Isa::KNOWN.iter().copied().find(|isa| isa.name() == name) else {
        let known: Vec<String> = Isa::KNOWN.iter().map(|isa| format!("`{}`", isa.name())).collect();
        return Err(format!("no instruction set here is called `{name}`; there is {}", known.join(", ")));
    };
    if CHOSEN.get().is_some() || LIMIT.set(isa).is_err() {
        return Err("the instruction set was chosen already".to_owned());
    }
    Ok(())
}

/// Defines `fn name(isa: Isa, …)` that runs `body::<FUSED>(…)` compiled for that instruction set. `body` must be
/// `#[inline(always)]`, so that it is compiled with the features of its caller; `FUSED` says whether a fused
/// multiply-add is one instruction (elsewhere it would be a slow library call).
macro_rules! multiversion {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) = $body:ident) => {
        $(#[$meta])*
        $visibility fn $name(isa: $crate::kernels::isa::Isa, $($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) {
                    $body::<true>($($argument),*);
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) {
                    $body::<true>($($argument),*);
                }
                match isa.min($crate::kernels::isa::Isa::detect()) {
                    $crate::kernels::isa::Isa::Generic | $crate::kernels::isa::Isa::Neon => {}
                    // SAFETY: `Isa::detect` gives `Avx2` and above only where the processor has AVX2 and FMA.
                    $crate::kernels::isa::Isa::Avx2 => return unsafe { avx2($($argument),*) },
                    // SAFETY: `Isa::detect` gives `Avx512` only where the processor has all of these features.
                    $crate::kernels::isa::Isa::Avx512 => return unsafe { avx512($($argument),*) },
                }
            }
            let _ = isa;
            $body::<{ cfg!(target_arch = "aarch64") }>($($argument),*);
        }
    };
}

pub(super) use multiversion;
