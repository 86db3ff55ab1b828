//! SLA-6: what the wrapper does to a call, from outside.

mod alone;
mod calls;
mod limits;
mod stage;
