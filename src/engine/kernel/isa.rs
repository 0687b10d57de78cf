//! Which instruction set to use.

/// An instruction set that has a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, on any processor.
    Scalar,
    /// AVX2 (x86-64).
    Avx2,
    /// AVX-512 F, BW, VL, DQ, CD, VNNI (x86-64).
    Avx512,
}

impl Isa {
    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512cd")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// All that this processor can run, the widest last.
    pub fn available() -> Vec<Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512].into_iter().filter(|i| i.is_available()).collect()
    }

    /// The widest, unless the environment variable `MADEZIP_ISA` names another
    /// available one (`scalar`, `avx2`, `avx512`). The choice never changes a
    /// result.
    pub fn best() -> Self {
        let all = Self::available();
        if let Ok(name) = std::env::var("MADEZIP_ISA")
            && let Some(&isa) = all.iter().find(|i| i.to_string() == name)
        {
            return isa;
        }
        all.last().copied().unwrap_or(Self::Scalar)
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// Defines a function that runs a generic `#[inline(always)]` body compiled for
/// the instruction set chosen at run time:
///
/// `with_kernel!(isa, body::<16>(x, y) -> T; x: A, y: B)` calls
/// `body::<K, 16>(x, y)`.
#[macro_export]
macro_rules! with_kernel {
    ($isa:expr, $body:ident $(::<$($g:tt),*>)? ($($arg:ident : $ty:ty),*) -> $ret:ty) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        unsafe fn avx2($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Avx2 $($(, $g)*)?>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni")]
        unsafe fn avx512($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Avx512 $($(, $g)*)?>($($arg),*)
        }
        let isa: $crate::engine::kernel::Isa = $isa;
        assert!(isa.is_available(), "{isa} is not available here");
        match isa {
            $crate::engine::kernel::Isa::Scalar => {
                $body::<$crate::engine::kernel::Scalar $($(, $g)*)?>($($arg),*)
            }
            // SAFETY: availability was just checked
            #[cfg(target_arch = "x86_64")]
            $crate::engine::kernel::Isa::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: availability was just checked
            #[cfg(target_arch = "x86_64")]
            $crate::engine::kernel::Isa::Avx512 => unsafe { avx512($($arg),*) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!(),
        }
    }};
}
