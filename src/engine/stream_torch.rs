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
        let known = self.known;
        let bits = Row::<C>::UNIT_BITS;
        let known_bytes =
            bytes.iter().flat_map(|b| b.inputs().into_iter().take(known).chain(b.previous));
        let of_bytes = self.place(&known_bytes.collect::<Vec<_>>(), known + 3)?;
        let previous = |i: usize| column(&of_bytes, known + i);
        let mut sums = self.costs.sums(&of_bytes.f_narrow(1, 0, known as i64)?)?;
        for (i, table) in self.previous.iter().enumerate() {
            sums = sums.f_add_(&table.f_index_select(0, &previous(i)?)?)?;
        }
        let units = activate(sums, FIRST_SHIFT, MAX_ACTIVATION)?;
        // what is computed once, so many times
        let repeated = |t: Tensor, times: usize| -> Result<Tensor, EngineError> {
            let (times, size) = (times as i64, t.size());
            let all = t.f_unsqueeze(1)?.f_expand([size[0], times, size[1]], false)?;
            Ok(all.f_reshape([size[0] * times, size[1]])?)
        };
        let shared = self.context.sums(&units)?.f_to_kind(self.first.kind())?;
        let shared = repeated(shared, 8 / bits)?;

        let mut x = Vec::with_capacity(rows.len() * 2 * C);
        rows.iter().for_each(|r| x.extend_from_slice(r.x.as_flattened()));
        let x = self.place(&x, 2 * C)?;
        // of the rows that the units read
        let mut of_units = Vec::with_capacity(rows.len() / bits * (C + 4));
        for r in rows.iter().step_by(bits) {
            of_units.extend_from_slice(&r.confidence);
            of_units.extend([r.partial, r.matched[0], r.matched[1], r.seen]);
        }
        let of_units = self.place(&of_units, C + 4)?;
        let of_unit = |i: usize| column(&of_units, C + i);
        let read_x = x.f_slice(0, 0, rows.len() as i64, bits as i64)?.f_to_kind(Kind::Float)?;
        let limit = f64::from(MAX_INPUT);
        let rounded = floor_shift(read_x.f_add_scalar(8.0)?, 4)?.f_clamp_(-limit, limit)?;
        let confidence = of_units.f_narrow(1, 0, C as i64)?.f_to_kind(Kind::Float)?;
        let a = Tensor::f_cat(&[rounded, confidence.f_mul_scalar(2.0)?], 1)?;
        let sums = self
            .first
            .sums(&a)?
            .f_add_(&shared)?
            .f_add_(&self.partial.f_index_select(0, &of_unit(0)?)?)?
            .f_add_(&self.matched[0].f_index_select(0, &of_unit(1)?)?)?
            .f_add_(&self.matched[1].f_index_select(0, &of_unit(2)?)?)?
            .f_add_(&self.seen.f_index_select(0, &of_unit(3)?)?)?;
        let h = activate(sums, FIRST_SHIFT, MAX_ACTIVATION)?;
        let h = match &self.second {
            None => h,
            Some(second) => activate(second.sums(&h)?, LATER_SHIFT, MAX_ACTIVATION)?,
        };
        let partial = self.place(&rows.iter().map(|r| r.partial).collect::<Vec<_>>(), 1)?;
        let table = self.gate_table.f_index_select(0, &column(&partial, 0)?)?;
        let limit = f64::from(MAX_GATE);
        let gates = repeated(self.gates.sums(&h)?, bits)?.f_add(&table.f_mul_scalar(2.0)?)?;
        let gates = floor_shift(gates, GATE_SHIFT)?.f_clamp_(-limit, limit)?;
        // sums of products below 2^31: exact in 64 bits
        let products = gates.f_to_kind(Kind::Double)?.f_mul_(&x.f_to_kind(Kind::Double)?)?;
        let sums = products.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double)?;
        let limit = f64::from(LOGIT_LIMIT);
        let logits = floor_shift(sums, GATE_BITS)?.f_clamp_(-limit, limit - 1.0)?;
        Ok(Vec::try_from(logits.f_to_kind(Kind::Int16)?.f_to_device(Device::Cpu)?)?)
    }

    /// Numbers on the device, so many in a row; the fewer bytes they are, the sooner.
    fn place<T: tch::kind::Element>(
        &self,
        values: &[T],
        width: usize,
    ) -> Result<Tensor, EngineError> {
        let placed = Tensor::f_from_slice(values)?.f_to_device(self.device)?;
        Ok(placed.f_reshape([-1, width as i64])?)
    }
}

/// A column, as an index.
fn column(of: &Tensor, number: usize) -> Result<Tensor, EngineError> {
    Ok(of.f_select(1, number as i64)?.f_to_kind(Kind::Int)?)
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
