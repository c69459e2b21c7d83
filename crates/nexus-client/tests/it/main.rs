//! The client against a hub that misbehaves on purpose. It is held against the real one by `sdk/tests`.

mod fake_hub;
mod publish;
mod subscribe;
