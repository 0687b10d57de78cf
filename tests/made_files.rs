//! Records networks through their files: what comes back, what is refused.

mod common;

use madezip::made::degrees::{self, DegreeRule};
use madezip::made::file::{ModelFile, Tensor};
use madezip::made::integer::Linear;
use madezip::made::random::SplitMix64;
use madezip::made::weights::ARCHITECTURE;
use madezip::made::{Architecture, Layers, Made, ModelError, Ordering, masks};
use madezip::records::RecordsModel;

fn sample() -> Made {
    let architecture = Architecture {
        dims: 6,
        hidden: vec![5, 4],
        masks: 1,
        direct: true,
        activation_bits: 8,
        hidden_shifts: vec![2, 6],
        output_shift: 3,
        direct_shift: 4,
    };
    let ordering = Ordering::random(6, 9);
    let degrees = degrees::assign(6, &architecture.hidden, DegreeRule::Sampled, 4);
    let mut rng = SplitMix64::new(8);
    let mut linear = |from: &[u32], to: &[u32], rule: masks::Rule| Linear {
        inputs: from.len(),
        outputs: to.len(),
        weights: masks::mask(from, to, rule)
            .into_iter()
            .map(|m| if m { rng.below(200) as i16 - 100 } else { 0 })
            .collect(),
        bias: to.iter().map(|_| rng.below(500) as i32 - 250).collect(),
    };
    let ranks = ordering.ranks();
    let hidden = vec![
        linear(ranks, &degrees[0], masks::into_hidden),
        linear(&degrees[0], &degrees[1], masks::into_hidden),
    ];
    let output = linear(&degrees[1], ranks, masks::into_output);
    let mut direct = linear(ranks, ranks, masks::into_output);
    direct.bias.fill(0);
    let layers = Layers { hidden, output, direct: Some(direct) };
    Made::new(architecture, ordering, vec![degrees], layers).unwrap()
}

#[test]
fn a_network_comes_back_from_its_file() {
    let made = sample();
    let bytes = made.to_file().to_bytes();
    let file = ModelFile::from_bytes(&bytes).unwrap();
    assert_eq!(Made::from_file(&file).unwrap(), made);
    assert_eq!(file.id(), made.to_file().id());
}

#[test]
fn hostile_files_are_refused() {
    let architecture = |f: &mut ModelFile, from: &str, to: &str| {
        let text = f.metadata.get_mut(ARCHITECTURE).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
    };
    type Change<'a> = Box<dyn Fn(&mut ModelFile) + 'a>;
    let set_weight = |f: &mut ModelFile, name: &str, at: usize, value: i16| {
        let tensor = &f.tensors[name];
        let mut values = tensor.values::<i16>().unwrap();
        values[at] = value;
        let shape = tensor.shape().to_vec();
        f.tensors.insert(name.into(), Tensor::from_values(&shape, &values));
    };
    // A forbidden place of the output layer: the row of the dimension of rank 1.
    let first = sample().ordering().sequence()[0];
    let changes: Vec<(&str, Change)> = vec![
        ("kind", Box::new(|f| drop(f.metadata.insert("madezip.kind".into(), "stream".into())))),
        ("no kind", Box::new(|f| drop(f.metadata.remove("madezip.kind")))),
        ("no architecture", Box::new(|f| drop(f.metadata.remove(ARCHITECTURE)))),
        ("dims", Box::new(|f| architecture(f, "\"dims\":6", "\"dims\":7"))),
        ("huge", Box::new(|f| architecture(f, "\"dims\":6", "\"dims\":18446744073709551615"))),
        ("negative", Box::new(|f| architecture(f, "\"dims\":6", "\"dims\":-6"))),
        ("masks", Box::new(|f| architecture(f, "\"masks\":1", "\"masks\":2"))),
        ("shift", Box::new(|f| architecture(f, "\"output_shift\":3", "\"output_shift\":33"))),
        ("widths", Box::new(|f| architecture(f, "[5,4]", "[5,40000000000]"))),
        ("unknown field", Box::new(|f| architecture(f, "\"dims\":6", "\"dims\":6,\"x\":1"))),
        (
            "deep JSON",
            Box::new(|f| {
                drop(f.metadata.insert(ARCHITECTURE.into(), "[".repeat(500_000)));
            }),
        ),
        ("outside the mask", Box::new(|f| set_weight(f, "output.weight", first * 4, 1))),
        ("direct to itself", Box::new(|f| set_weight(f, "direct.weight", 0, 1))),
        (
            "sums",
            Box::new(|f| {
                drop(
                    f.tensors
                        .insert("output.bias".into(), Tensor::from_values(&[6], &[i32::MIN; 6])),
                );
            }),
        ),
        (
            "direct sums",
            Box::new(|f| {
                architecture(f, "\"direct_shift\":4", "\"direct_shift\":24");
            }),
        ),
        (
            "type",
            Box::new(|f| {
                drop(f.tensors.insert("ordering".into(), Tensor::from_values(&[6], &[1i32; 6])));
            }),
        ),
        (
            "ordering",
            Box::new(|f| {
                drop(f.tensors.insert("ordering".into(), Tensor::from_values(&[6], &[1u32; 6])));
            }),
        ),
        (
            "degree 0",
            Box::new(|f| {
                drop(
                    f.tensors.insert("degrees.0".into(), Tensor::from_values(&[1, 5], &[0u32; 5])),
                );
            }),
        ),
        (
            "degree D",
            Box::new(|f| {
                drop(
                    f.tensors.insert("degrees.0".into(), Tensor::from_values(&[1, 5], &[6u32; 5])),
                );
            }),
        ),
        ("missing", Box::new(|f| drop(f.tensors.remove("hidden.1.bias")))),
        (
            "one too many",
            Box::new(|f| {
                drop(f.tensors.insert("extra".into(), Tensor::from_values(&[1], &[6u32])));
            }),
        ),
    ];
    for (name, change) in changes {
        let mut file = sample().to_file();
        change(&mut file);
        let error = Made::from_file(&file).expect_err(name);
        assert!(!matches!(error, ModelError::Io(_)), "{name}: {error}");
    }
}

#[test]
fn probabilities_of_several_masks_are_the_rounded_mean() {
    use madezip::made::network::mean_probability;
    assert_eq!(mean_probability(1, 1), 1);
    assert_eq!(mean_probability(65535, 1), 65535);
    assert_eq!(mean_probability(1 + 2, 2), 2);
    assert_eq!(mean_probability(65535 * 64, 64), 65535);
    assert_eq!(mean_probability(64, 64), 1);
}

#[test]
fn convolutional_networks_come_back_and_hostile_ones_are_refused() {
    let model = common::random_window(4, 5, 2, &[6, 3], 1);
    let file = model.to_file();
    let back = ModelFile::from_bytes(&file.to_bytes()).unwrap();
    assert_eq!(RecordsModel::from_file(&back).unwrap(), model);
    let swap = |from: &str, to: &str| {
        let mut file = file.clone();
        let text = file.metadata.get_mut(ARCHITECTURE).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        file
    };
    let put = |name: &str, tensor: Tensor| {
        let mut file = file.clone();
        file.tensors.insert(name.into(), tensor);
        file
    };
    let changes = [
        swap("\"height\":4", "\"height\":18446744073709551615"),
        swap("\"height\":4", "\"height\":0"),
        swap("\"width\":5", "\"width\":65536"),
        swap("\"up\":2", "\"up\":3"),
        swap("\"up\":2", "\"up\":18446744073709551615"),
        swap("\"side\":2", "\"side\":1000000"),
        swap("[6,3]", "[]"),
        swap("[6,3]", "[6,0]"),
        swap("[6,3]", "[6,3,1]"),
        swap("\"output_shift\":3", "\"output_shift\":32"),
        put("output.position", Tensor::from_values(&[20], &[i32::MAX; 20])),
        put("output.bias", Tensor::from_values(&[1], &[i32::MIN])),
        put("position", Tensor::from_values(&[20, 6], &[0i32; 120])),
        put("extra", Tensor::from_values(&[1], &[0u8])),
    ];
    for (i, file) in changes.iter().enumerate() {
        assert!(RecordsModel::from_file(file).is_err(), "change {i}");
    }
}

#[test]
fn networks_under_several_orderings_come_back_and_hostile_ones_are_refused() {
    let model = common::random_mixture(6, &[5, 4], (3, 2), 40, 2);
    let file = model.to_file();
    let back = ModelFile::from_bytes(&file.to_bytes()).unwrap();
    assert_eq!(RecordsModel::from_file(&back).unwrap(), model);
    assert_eq!(model.components().len(), 3);
    let put = |name: &str, tensor: Tensor| {
        let mut file = file.clone();
        file.tensors.insert(name.into(), tensor);
        file
    };
    let swap = |from: &str, to: &str| {
        let mut file = file.clone();
        let text = file.metadata.get_mut(ARCHITECTURE).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        file
    };
    let rising: Vec<u32> = (1..=6).collect();
    let changes = [
        put("ordering", Tensor::from_values(&[6], &rising)),
        put("ordering", Tensor::from_values(&[0, 6], &rising[..0])),
        put("ordering", Tensor::from_values(&[2, 6], &rising.repeat(2))),
        put("ordering", Tensor::from_values(&[3, 6], &[1u32; 18])),
        put("ordering", Tensor::from_values(&[65, 6], &rising.repeat(65))),
        // natural, all three of them: weights of the others are outside the masks
        put("ordering", Tensor::from_values(&[3, 6], &rising.repeat(3))),
        put("degrees.0", Tensor::from_values(&[3, 5], &[1u32; 15])),
        put("degrees.0", Tensor::from_values(&[6, 5], &[0u32; 30])),
        put("hidden.0.bias", Tensor::from_values(&[5], &[i32::MAX; 5])),
        put("extra", Tensor::from_values(&[1], &[0u8])),
        swap("\"masks\":2", "\"masks\":3"),
        swap("\"masks\":2", "\"masks\":64"),
    ];
    for (i, file) in changes.iter().enumerate() {
        assert!(RecordsModel::from_file(file).is_err(), "change {i}");
    }
    // with the name of the other kind neither reads the other's
    let mut renamed = file.clone();
    renamed.metadata.insert(madezip::made::file::KIND.into(), "records".into());
    assert!(RecordsModel::from_file(&renamed).is_err());
}
