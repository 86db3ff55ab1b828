//! The world, for real: the machine's clock, its randomness, and HTTP to the vendors.

pub mod clock;
pub mod entropy;
pub mod transport;
pub mod redaction;

mod redirect;

pub use clock::{MachineClock, ScaledClock};
pub use entropy::{MachineEntropy, SeededEntropy};
pub use redaction::{RedactedWriter, Redactor};
pub use transport::{HttpTransport, install_tls};
