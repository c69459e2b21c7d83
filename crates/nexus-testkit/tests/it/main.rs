//! The proof: the oracle's own test, the law of every use case, and simulations.

mod laws;
mod oracles;
mod simulations;
