//! The calls that JavaScript makes, made natively. What the verifier decides is tested where it lives, in `nexus-crypto`, and through
//! the WebAssembly itself in `web/test/node/audit.test.ts`; here is what this crate adds: pages, and what is kept of them.

mod audits;
