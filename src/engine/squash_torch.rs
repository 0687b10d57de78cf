//! From logits to probabilities where the logits are: there are as many as there are bits, and
//! a device is done with them before the host has looked at the first ones.

use super::EngineError;
use super::torch::TorchDevice;
use crate::made::logistic::{LOGIT_LIMIT, squash};
use tch::{Device, Kind, Tensor};

/// [`squash`] on a device.
#[derive(Debug)]
pub struct Squash {
    /// Of every logit from `-LOGIT_LIMIT` on.
    table: Tensor,
}

impl Squash {
    /// Puts the table there.
    pub fn new(device: TorchDevice) -> Result<Self, EngineError> {
        let table: Vec<i32> = (-LOGIT_LIMIT..LOGIT_LIMIT).map(|x| squash(x).into()).collect();
        Ok(Self { table: Tensor::f_from_slice(&table)?.f_to_device(device.device())? })
    }

    /// 16-bit probabilities of logits, which are integers in any floating-point type and are
    /// lost; of as many, in one dimension, as [`Kind::Int`].
    pub fn probabilities(&self, mut logits: Tensor) -> Result<Tensor, EngineError> {
        let limit = f64::from(LOGIT_LIMIT);
        let index = logits.f_clamp_(-limit, limit - 1.0)?.f_add_scalar_(limit)?;
        Ok(self.table.f_index_select(0, &index.f_to_kind(Kind::Int)?.f_flatten(0, -1)?)?)
    }
}

/// [`mean_probability`] of so many masks, of the sums of their probabilities, in place.
///
/// [`mean_probability`]: crate::made::network::mean_probability
pub fn mean(mut total: Tensor, masks: usize) -> Result<Tensor, EngineError> {
    let k = masks as i64;
    Ok(match k {
        1 => total,
        _ => total.f_add_scalar_(k / 2)?.f_divide_scalar_mode_(k, "floor")?,
    })
}

/// Takes 16-bit probabilities, [`Kind::Int`], from a device.
pub fn take(probabilities: &Tensor, p1: &mut [u16]) -> Result<(), EngineError> {
    // the bits of a signed number are those of the unsigned one
    let signed = probabilities.f_to_kind(Kind::Int16)?.f_to_device(Device::Cpu)?;
    for (p, signed) in p1.iter_mut().zip(Vec::<i16>::try_from(signed)?) {
        *p = signed as u16;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_function() {
        let logits: Vec<i16> = (i16::MIN..=i16::MAX).step_by(7).chain(-3100..3100).collect();
        for kind in [Kind::Float, Kind::Double] {
            let there = Tensor::from_slice(&logits).to_kind(kind);
            let squashed = Squash::new(TorchDevice::cpu()).unwrap().probabilities(there).unwrap();
            let mut p1 = vec![0; logits.len()];
            take(&squashed, &mut p1).unwrap();
            assert!(p1.iter().zip(&logits).all(|(&p, &x)| p == squash(x.into())));
        }
    }
}
