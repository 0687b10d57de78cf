//! The torch engine of the stream model: the network over a window of bytes at
//! once, exactly [`Network::logit`].

use tch::{Device, Kind, Tensor};

use super::EngineError;
use super::torch::{ExactLinear, TorchDevice, activate, floor_shift};
use crate::codec::CodecError;
use crate::made::logistic::LOGIT_LIMIT;
use crate::stream::block::Bulk;
use crate::stream::network::{
    FIRST_SHIFT, GATE_BITS, GATE_SHIFT, LATER_SHIFT, MAX_ACTIVATION, MAX_GATE, MAX_INPUT, Network,
    Table,
};
use crate::stream::row::{ByteRow, Row};

/// The network on a device.
#[derive(Debug)]
pub struct TorchNetwork {
    device: Device,
    /// Inputs of the context units.
    known: usize,
    previous: [Tensor; 3],
    costs: ExactLinear,
    context: ExactLinear,
    partial: Tensor,
    matched: [Tensor; 2],
    seen: Tensor,
    first: ExactLinear,
    second: Option<ExactLinear>,
    gates: ExactLinear,
    gate_table: Tensor,
}

impl TorchNetwork {
    /// Puts the network on a device, proving and testing its products.
    pub fn new(device: TorchDevice, network: &Network) -> Result<Self, EngineError> {
        let _guard = tch::no_grad_guard();
        let [costs, first, second, gates] = network.bounds().map(|(_, bound)| bound);
        let linear = |name: &str, l, max: i64, whole: i64| {
            ExactLinear::new(device, name, l, max, whole - l.sum_bound(max))
        };
        let table = |t: &Table, kind: Kind| -> Result<Tensor, EngineError> {
            let shape = [(t.entries.len() / t.units) as i64, t.units as i64];
            let t = Tensor::f_from_slice(&t.entries)?.f_reshape(shape)?;
            Ok(t.f_to_kind(kind)?.f_to_device(device.device())?)
        };
        let input = i64::from(MAX_INPUT);
        let activation = i64::from(MAX_ACTIVATION);
        let costs = linear("costs", &network.costs, input, costs)?;
        let context = linear("context", &network.context, activation, first)?;
        let first = linear("first", &network.first, input, first)?;
        let second = match &network.second {
            None => None,
            Some(l) => Some(linear("second", l, activation, second)?),
        };
        let gates = linear("gates", &network.gates, activation, gates)?;
        Ok(Self {
            device: device.device(),
            known: network.costs.inputs,
            previous: [
                table(&network.previous[0], costs.kind())?,
                table(&network.previous[1], costs.kind())?,
                table(&network.previous[2], costs.kind())?,
            ],
            partial: table(&network.partial, first.kind())?,
            matched: [
                table(&network.matched[0], first.kind())?,
                table(&network.matched[1], first.kind())?,
            ],
            seen: table(&network.seen, first.kind())?,
            gate_table: table(&network.gate_table, gates.kind())?,
            costs,
            context,
            first,
            second,
            gates,
        })
    }

    fn run<const C: usize>(
        &self,
        bytes: &[ByteRow<C>],
        rows: &[Row<C>],
    ) -> Result<Vec<i16>, EngineError> {
        let _guard = tch::no_grad_guard();
        // copies a field of every row to the device
        let floats = |values: Vec<f32>, width: usize| -> Result<Tensor, EngineError> {
            let t = Tensor::f_from_slice(&values)?.f_reshape([-1, width as i64])?;
            Ok(t.f_to_device(self.device)?)
        };
        let indices = |values: Vec<i64>| -> Result<Tensor, EngineError> {
            Ok(Tensor::f_from_slice(&values)?.f_to_device(self.device)?)
        };
        let known = self.known;
        let costs =
            bytes.iter().flat_map(|b| b.inputs().map(f32::from).into_iter().take(known)).collect();
        let mut sums = self.costs.sums(&floats(costs, known)?)?;
        for (i, table) in self.previous.iter().enumerate() {
            let index = indices(bytes.iter().map(|b| b.previous[i].into()).collect())?;
            sums = sums.f_add(&table.f_index_select(0, &index)?)?;
        }
        let units = activate(&sums, FIRST_SHIFT, MAX_ACTIVATION)?;
        let bits = Row::<C>::UNIT_BITS;
        // what is computed once, so many times
        let repeated = |t: Tensor, times: usize| -> Result<Tensor, EngineError> {
            let (times, size) = (times as i64, t.size());
            let all = t.f_unsqueeze(1)?.f_expand([size[0], times, size[1]], false)?;
            Ok(all.f_reshape([size[0] * times, size[1]])?)
        };
        let shared = self.context.sums(&units)?.f_to_kind(self.first.kind())?;
        let shared = repeated(shared, 8 / bits)?;

        let x: Vec<f32> =
            rows.iter().flat_map(|r| r.x.as_flattened().iter().map(|&x| x.into())).collect();
        let x = floats(x, 2 * C)?;
        // the rows that the units read
        let read = || rows.iter().step_by(bits);
        let read_x = x.f_slice(0, 0, rows.len() as i64, bits as i64)?;
        let confidence: Vec<f32> =
            read().flat_map(|r| r.confidence.map(|c| f32::from(c) * 2.0)).collect();
        let limit = f64::from(MAX_INPUT);
        let rounded = floor_shift(&read_x.f_add_scalar(8.0)?, 4)?.f_clamp(-limit, limit)?;
        let a = Tensor::f_cat(&[rounded, floats(confidence, C)?], 1)?;
        let partial = indices(read().map(|r| r.partial.into()).collect())?;
        let long = indices(read().map(|r| r.matched[0].into()).collect())?;
        let recent = indices(read().map(|r| r.matched[1].into()).collect())?;
        let seen = indices(read().map(|r| r.seen.into()).collect())?;
        let sums = self
            .first
            .sums(&a)?
            .f_add(&shared)?
            .f_add(&self.partial.f_index_select(0, &partial)?)?
            .f_add(&self.matched[0].f_index_select(0, &long)?)?
            .f_add(&self.matched[1].f_index_select(0, &recent)?)?
            .f_add(&self.seen.f_index_select(0, &seen)?)?;
        let h = activate(&sums, FIRST_SHIFT, MAX_ACTIVATION)?;
        let h = match &self.second {
            None => h,
            Some(second) => activate(&second.sums(&h)?, LATER_SHIFT, MAX_ACTIVATION)?,
        };
        let partial = indices(rows.iter().map(|r| r.partial.into()).collect())?;
        let table = self.gate_table.f_index_select(0, &partial)?.f_mul_scalar(2.0)?;
        let limit = f64::from(MAX_GATE);
        let gates = repeated(self.gates.sums(&h)?, bits)?.f_add(&table)?;
        let gates =
            floor_shift(&gates, GATE_SHIFT)?.f_clamp(-limit, limit)?.f_to_kind(Kind::Double)?;
        // sums of products below 2^31: exact in 64 bits
        let sums = (gates.f_mul(&x.f_to_kind(Kind::Double)?)?).f_sum_dim_intlist(
            [1i64].as_slice(),
            false,
            Kind::Double,
        )?;
        let limit = f64::from(LOGIT_LIMIT);
        let logits = floor_shift(&sums, GATE_BITS)?.f_clamp(-limit, limit - 1.0)?;
        Ok(Vec::try_from(logits.f_to_kind(Kind::Int16)?.f_to_device(Device::Cpu)?)?)
    }
}

impl<const C: usize> Bulk<C> for TorchNetwork {
    fn logits(
        &mut self,
        bytes: &[ByteRow<C>],
        rows: &[Row<C>],
        logits: &mut [i16],
    ) -> Result<(), CodecError> {
        let all = self.run(bytes, rows).map_err(|e| CodecError::Engine(e.to_string()))?;
        logits.copy_from_slice(&all);
        Ok(())
    }
}
