//! madezip
fn main() {
    #[cfg(feature = "torch")]
    println!("{:?}", (tch::Tensor::from_slice(&[1i64, 2]) * 2).sum(tch::Kind::Int64));
}
