//! From floating point to the integers of [`Language`].

use super::layers::{Head, Layers};
use super::tables::Tables;
use super::{Options, TrainError};
use crate::stream::contexts::Context;
use crate::stream::language::{Input, Language, MAX_FIRST_BIAS, TABLE_BITS};
use crate::stream::recurrent::{ACTIVATION_SUM_BITS, MAX_WEIGHT, Recurrent, WEIGHT_BITS};
use crate::train::stream::quantize::{WIDE, layer, narrow, rounded};

/// Steps of a number with 6 fraction bits.
const STEPS: f64 = (1 << TABLE_BITS) as f64;
/// Highest |entry| of a table, or |weight| of a node in the recurrent layer.
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
    let recurrent = match &layers.recurrent {
        Some((cell, head @ Head { state: Some(state), .. })) => {
            let layer = |weights, bias, most| {
                layer(weights, bias, ACTIVATION_SUM_BITS as i32, (WEIGHT_BITS, most))
            };
            let small = |weights, bias| layer(weights, bias, MAX_WEIGHT.into());
            let table = rounded(&cell.table, STEPS, MAX_ENTRY)?;
            Some(Recurrent {
                table: table.into_iter().map(|e| e as i8).collect(),
                input: small(&cell.input, Some(&cell.bias))?,
                gates: small(&cell.gates, None)?,
                skip: small(&head.first, Some(&head.bias))?,
                second: small(state, None)?,
                output: layer(&head.output, Some(&head.output_bias), MAX_ENTRY)?,
            })
        }
        _ => None,
    };
    let Head { first, bias, output, output_bias, .. } = &layers.head;
    Ok(Language {
        names: o.inputs.clone(),
        inputs,
        bias: narrow(rounded(&layers.bias, STEPS, f64::from(MAX_FIRST_BIAS))?),
        second: layer(first, Some(bias), 13, WIDE)?,
        output: layer(output, Some(output_bias), 13, WIDE)?,
        recurrent,
    })
}
