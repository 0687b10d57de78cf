//! Which instruction set to use.

use super::Kernel;

/// The instruction sets that have a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Plain Rust, on any processor.
    Scalar,
    /// AVX2 (x86-64).
    Avx2,
    /// AVX-512 F, BW, VL, DQ, CD, VNNI (x86-64).
    Avx512,
    /// NEON (64-bit ARM, little-endian).
    Neon,
    /// 128-bit SIMD of WebAssembly.
    Simd128,
}

/// An instruction set that has a kernel and that this processor has: there is no
/// value of this type without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Set);

impl Isa {
    /// Plain Rust.
    pub const SCALAR: Self = Self(Set::Scalar);

    /// The instruction set, if this processor has it.
    pub fn new(set: Set) -> Option<Self> {
        let available = match set {
            Set::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                Self::new(Set::Avx2).is_some()
                    && (cfg!(avx512_in_software)
                        || is_x86_feature_detected!("avx512f")
                            && is_x86_feature_detected!("avx512bw")
                            && is_x86_feature_detected!("avx512vl")
                            && is_x86_feature_detected!("avx512dq")
                            && is_x86_feature_detected!("avx512cd")
                            && is_x86_feature_detected!("avx512vnni"))
            }
            // a part of the architecture
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Set::Neon => true,
            // a module that has it runs nowhere else
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Set::Simd128 => true,
            #[allow(unreachable_patterns)]
            _ => false,
        };
        available.then_some(Self(set))
    }

    /// That of a kernel.
    ///
    /// # Safety
    /// The processor has the instruction set [`Kernel::SET`].
    #[inline(always)]
    pub unsafe fn of<K: Kernel>() -> Self {
        Self(K::SET)
    }

    /// Which it is.
    #[inline(always)]
    pub fn set(self) -> Set {
        self.0
    }

    /// All that this processor can run, the widest last.
    pub fn available() -> Vec<Self> {
        let all = [Set::Scalar, Set::Avx2, Set::Avx512, Set::Neon, Set::Simd128];
        all.into_iter().filter_map(Self::new).collect()
    }

    /// The widest, unless the environment variable `MADEZIP_ISA` names another
    /// available one (`scalar`, `avx2`, `avx512`, `neon`, `simd128`). The choice never
    /// changes a result.
    pub fn best() -> Self {
        let all = Self::available();
        if let Ok(name) = std::env::var("MADEZIP_ISA")
            && let Some(&isa) = all.iter().find(|i| i.to_string() == name)
        {
            return isa;
        }
        all.last().copied().unwrap_or(Self::SCALAR)
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Set::Scalar => "scalar",
            Set::Avx2 => "avx2",
            Set::Avx512 => "avx512",
            Set::Neon => "neon",
            Set::Simd128 => "simd128",
        })
    }
}

/// Calls a generic `#[inline(always)]` body compiled for the instruction set chosen at
/// run time: `with_kernel!(isa, body::<C>(x: A, y: B) -> T)` calls `body::<K, C>(x, y)`
/// with the kernel `K` of `isa`, inside a function that may use its instructions.
#[macro_export]
macro_rules! with_kernel {
    ($isa:expr, $body:ident $(::<$c:ident>)? ($($arg:ident : $ty:ty),*) -> $ret:ty) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        unsafe fn avx2 $(<const $c: usize>)? ($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Avx2 $(, $c)?>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        #[cfg_attr(
            not(avx512_in_software),
            target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni")
        )]
        unsafe fn avx512 $(<const $c: usize>)? ($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Avx512 $(, $c)?>($($arg),*)
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        fn neon $(<const $c: usize>)? ($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Neon $(, $c)?>($($arg),*)
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        fn simd128 $(<const $c: usize>)? ($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Simd128 $(, $c)?>($($arg),*)
        }
        // a function too, so that callers that this is a part of do not each have the body
        fn scalar $(<const $c: usize>)? ($($arg: $ty),*) -> $ret {
            $body::<$crate::engine::kernel::Scalar $(, $c)?>($($arg),*)
        }
        let isa: $crate::engine::kernel::Isa = $isa;
        match isa.set() {
            $crate::engine::kernel::Set::Scalar => scalar $(::<$c>)? ($($arg),*),
            // SAFETY: an `Isa` is proof that the processor has it
            #[cfg(target_arch = "x86_64")]
            $crate::engine::kernel::Set::Avx2 => unsafe { avx2 $(::<$c>)? ($($arg),*) },
            // SAFETY: as above
            #[cfg(target_arch = "x86_64")]
            $crate::engine::kernel::Set::Avx512 => unsafe { avx512 $(::<$c>)? ($($arg),*) },
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            $crate::engine::kernel::Set::Neon => neon $(::<$c>)? ($($arg),*),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            $crate::engine::kernel::Set::Simd128 => simd128 $(::<$c>)? ($($arg),*),
            _ => unreachable!("{isa} on another processor"),
        }
    }};
}
