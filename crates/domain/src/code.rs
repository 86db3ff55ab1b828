//! Short codes: currencies, venues, vendors.

use std::fmt;

/// Up to 12 printable ASCII characters, held in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Code([u8; 12]);

impl Code {
    fn new(text: &str) -> Option<Code> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 12 || !bytes.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut code = [0; 12];
        code[..bytes.len()].copy_from_slice(bytes);
        Some(Code(code))
    }

    const fn literal(text: &str) -> Code {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 12, "a code has 1 to 12 characters");
        let mut code = [0; 12];
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at].is_ascii_graphic(), "a code is printable ASCII");
            code[at] = bytes[at];
            at += 1;
        }
        Code(code)
    }

    fn as_str(&self) -> &str {
        let length = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).expect("codes are ASCII by construction")
    }
}

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $fold:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Code);

        impl $name {
            /// A code known when the program is written.
            ///
            /// # Panics
            /// At compile time, unless it has 1 to 12 printable ASCII characters.
            pub const fn literal(text: &str) -> $name {
                $name(Code::literal(text))
            }

            /// From text of 1 to 12 printable ASCII characters, letters raised to upper case.
            pub fn new(text: &str) -> Option<$name> {
                Code::new(&text.$fold()).map($name)
            }

            /// The code as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

code! {
    /// Currency by its code: ISO 4217 (`USD`) or a coin's ticker (`USDT`). Always the major unit's code;
    /// pence and cents are a [`Unit`](crate::Unit).
    Currency, to_ascii_uppercase
}

code! {
    /// Where an instrument trades: an ISO 10383 market identifier code (`XNAS`) or one of ours:
    /// `US` (composite of the United States, listing unknown), `FX`, `CRYPTO`, `INDEX`, or a crypto
    /// venue's name (`BINANCE`).
    Venue, to_ascii_uppercase
}

impl Currency {
    /// United States dollar.
    pub const USD: Currency = Currency::literal("USD");
}

impl Venue {
    /// Composite of the United States: a bare ticker whose listing is not known.
    pub const US: Venue = Venue::literal("US");
    /// Over-the-counter foreign exchange.
    pub const FX: Venue = Venue::literal("FX");
    /// Composite of crypto venues.
    pub const CRYPTO: Venue = Venue::literal("CRYPTO");
    /// Indices, which do not trade.
    pub const INDEX: Venue = Venue::literal("INDEX");
}

/// Who sells us data: a stable lower-case id from `vendors::ALL`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VendorId(pub &'static str);

impl VendorId {
    /// The id as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for VendorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for VendorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
