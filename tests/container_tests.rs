//! Archives as bytes: round trips, damage, hostile fields.

#[path = "container/damage.rs"]
mod damage;
#[path = "container/hostile.rs"]
mod hostile;
#[path = "container/layout.rs"]
mod layout;
#[path = "container/round_trip.rs"]
mod round_trip;
#[path = "container/salvage.rs"]
mod salvage;
#[path = "container/toy.rs"]
mod toy;
