//! From floating point to the integers of [`Language`].

use tch::Tensor;

use super::layers::{Head, Layers};
use super::tables::Tables;
use super::{Options, RecurrentOptions, TrainError};
use crate::made::integer::Linear;
use crate::stream::contexts::Context;
use crate::stream::language::{Input, Language, MAX_FIRST_BIAS, TABLE_BITS};
use crate::stream::recurrent::{Recurrent, SUM_BITS, WEIGHT_BITS};
use crate::train::stream::quantize::{layer, narrow, rounded};

/// Steps of a number with 6 fraction bits.
const STEPS: f64 = (1 << TABLE_BITS) as f64;
/// Highest |entry| of a table.
const MAX_ENTRY: f64 = 127.0;

/// The integers of a trained model.
pub(super) fn language(
    o: &Options,
    contexts: &[Context],
    layers: &Layers,
    tables: &Tables,
) -> Result<Language, TrainError> {
    let inputs = contexts
        .iter()
        .enumerate()
        .map(|(i, &context)| {
            let ([rows, width], entries) = tables.table(i);
            let round =
                |&e: &f32| (f64::from(e) * STEPS).clamp(-MAX_ENTRY, MAX_ENTRY).round() as i8;
            Input { context, table: entries.iter().map(round).collect(), rows, width }
        })
        .collect();
    let recurrent = match (&layers.recurrent, o.recurrent) {
        (Some((cell, head)), Some(RecurrentOptions { most, .. })) => {
            let none = cell.bias.zeros_like();
            let above = Tensor::cat(
                &[head.state.as_ref(), Some(&head.first)].into_iter().flatten().collect::<Vec<_>>(),
                1,
            );
            Some(Recurrent {
                table: bytes(&cell.table)?.into_iter().map(|w| w as i8).collect(),
                input: small(&cell.input, &cell.bias)?,
                gates: small(&cell.gates, &none)?,
                second: small(&above, &head.bias)?,
                output: layer(&head.output, Some(&head.output_bias), 13)?,
                most,
            })
        }
        _ => None,
    };
    let Head { first, bias, output, output_bias, .. } = &layers.head;
    Ok(Language {
        names: o.inputs.clone(),
        inputs,
        bias: narrow(rounded(&layers.bias, STEPS, f64::from(MAX_FIRST_BIAS))?),
        second: layer(first, Some(bias), 13)?,
        output: layer(output, Some(output_bias), 13)?,
        recurrent,
    })
}

/// Numbers of 8 bits.
fn bytes(t: &Tensor) -> Result<Vec<i16>, TrainError> {
    Ok(narrow(rounded(t, f64::from(1 << WEIGHT_BITS), MAX_ENTRY)?))
}

/// A layer of the recurrent one, whose weights have 8 bits.
fn small(weights: &Tensor, bias: &Tensor) -> Result<Linear, TrainError> {
    let size = weights.size();
    let (outputs, inputs) = (size[0] as usize, size[1] as usize);
    let bias = rounded(bias, f64::from(1 << SUM_BITS), f64::from(1 << 24))?;
    Ok(Linear { inputs, outputs, weights: bytes(weights)?, bias })
}
