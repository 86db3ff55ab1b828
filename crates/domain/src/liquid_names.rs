//! Liquid names that are known before any vendor's list has been read.

use crate::{
    Currency, Date, Denomination, Directory, Instrument, InstrumentId, InstrumentKind, Size, TickTable, Unit,
    Venue,
};
use InstrumentKind::{Equity, Etf};

/// Name, listing, kind, description: shares and funds of the United States.
const UNITED_STATES: &[(&str, &str, InstrumentKind, &str)] = &[
    ("AAPL", "XNAS", Equity, "Apple Inc."),
    ("ABBV", "XNYS", Equity, "AbbVie Inc."),
    ("ADBE", "XNAS", Equity, "Adobe Inc."),
    ("AMD", "XNAS", Equity, "Advanced Micro Devices, Inc."),
    ("AMZN", "XNAS", Equity, "Amazon.com, Inc."),
    ("AVGO", "XNAS", Equity, "Broadcom Inc."),
    ("AXP", "XNYS", Equity, "American Express Company"),
    ("BA", "XNYS", Equity, "The Boeing Company"),
    ("BAC", "XNYS", Equity, "Bank of America Corporation"),
    ("BRK.A", "XNYS", Equity, "Berkshire Hathaway Inc. Class A"),
    ("BRK.B", "XNYS", Equity, "Berkshire Hathaway Inc. Class B"),
    ("C", "XNYS", Equity, "Citigroup Inc."),
    ("CAT", "XNYS", Equity, "Caterpillar Inc."),
    ("COST", "XNAS", Equity, "Costco Wholesale Corporation"),
    ("CRM", "XNYS", Equity, "Salesforce, Inc."),
    ("CSCO", "XNAS", Equity, "Cisco Systems, Inc."),
    ("CVX", "XNYS", Equity, "Chevron Corporation"),
    ("DIA", "ARCX", Etf, "SPDR Dow Jones Industrial Average ETF Trust"),
    ("DIS", "XNYS", Equity, "The Walt Disney Company"),
    ("F", "XNYS", Equity, "Ford Motor Company"),
    ("GE", "XNYS", Equity, "General Electric Company"),
    ("GLD", "ARCX", Etf, "SPDR Gold Shares"),
    ("GOOGL", "XNAS", Equity, "Alphabet Inc. Class A"),
    ("GS", "XNYS", Equity, "The Goldman Sachs Group, Inc."),
    ("HD", "XNYS", Equity, "The Home Depot, Inc."),
    ("IBM", "XNYS", Equity, "International Business Machines Corporation"),
    ("INTC", "XNAS", Equity, "Intel Corporation"),
    ("IVV", "ARCX", Etf, "iShares Core S&P 500 ETF"),
    ("IWM", "ARCX", Etf, "iShares Russell 2000 ETF"),
    ("JNJ", "XNYS", Equity, "Johnson & Johnson"),
    ("JPM", "XNYS", Equity, "JPMorgan Chase & Co."),
    ("KO", "XNYS", Equity, "The Coca-Cola Company"),
    ("LLY", "XNYS", Equity, "Eli Lilly and Company"),
    ("MA", "XNYS", Equity, "Mastercard Incorporated"),
    ("MCD", "XNYS", Equity, "McDonald's Corporation"),
    ("META", "XNAS", Equity, "Meta Platforms, Inc."),
    ("MMM", "XNYS", Equity, "3M Company"),
    ("MRK", "XNYS", Equity, "Merck & Co., Inc."),
    ("MS", "XNYS", Equity, "Morgan Stanley"),
    ("MSFT", "XNAS", Equity, "Microsoft Corporation"),
    ("NFLX", "XNAS", Equity, "Netflix, Inc."),
    ("NKE", "XNYS", Equity, "NIKE, Inc."),
    ("NVDA", "XNAS", Equity, "NVIDIA Corporation"),
    ("ORCL", "XNYS", Equity, "Oracle Corporation"),
    ("PEP", "XNAS", Equity, "PepsiCo, Inc."),
    ("PFE", "XNYS", Equity, "Pfizer Inc."),
    ("PG", "XNYS", Equity, "The Procter & Gamble Company"),
    ("PYPL", "XNAS", Equity, "PayPal Holdings, Inc."),
    ("QCOM", "XNAS", Equity, "QUALCOMM Incorporated"),
    ("QQQ", "XNAS", Etf, "Invesco QQQ Trust"),
    ("SPY", "ARCX", Etf, "SPDR S&P 500 ETF Trust"),
    ("T", "XNYS", Equity, "AT&T Inc."),
    ("TLT", "XNAS", Etf, "iShares 20+ Year Treasury Bond ETF"),
    ("TSLA", "XNAS", Equity, "Tesla, Inc."),
    ("TXN", "XNAS", Equity, "Texas Instruments Incorporated"),
    ("UNH", "XNYS", Equity, "UnitedHealth Group Incorporated"),
    ("UPS", "XNYS", Equity, "United Parcel Service, Inc."),
    ("V", "XNYS", Equity, "Visa Inc."),
    ("VOO", "ARCX", Etf, "Vanguard S&P 500 ETF"),
    ("VTI", "ARCX", Etf, "Vanguard Total Stock Market ETF"),
    ("VZ", "XNYS", Equity, "Verizon Communications Inc."),
    ("WFC", "XNYS", Equity, "Wells Fargo & Company"),
    ("WM", "XNYS", Equity, "Waste Management, Inc."),
    ("WMT", "XNYS", Equity, "Walmart Inc."),
    ("XOM", "XNYS", Equity, "Exxon Mobil Corporation"),
];

/// Old name, new name, listing, first day of the new name, in the order in which they happened.
const RENAMES: &[(&str, &str, &str, Date)] = &[
    ("UW", "WMI", "XNYS", Date::constant(1998, 7, 17)),
    ("NB", "BAC", "XNYS", Date::constant(1998, 10, 1)),
    ("AOL", "TWX", "XNYS", Date::constant(2003, 10, 16)),
    ("QQQ", "QQQQ", "XNAS", Date::constant(2004, 12, 1)),
    ("SPWR", "SPWRA", "XNAS", Date::constant(2008, 9, 30)),
    ("WMI", "WM", "XNYS", Date::constant(2009, 8, 5)),
    ("QQQQ", "QQQ", "XNAS", Date::constant(2011, 3, 23)),
    ("SPWRA", "SPWR", "XNAS", Date::constant(2011, 11, 17)),
    ("NWSA", "FOXA", "XNAS", Date::constant(2013, 7, 1)),
    ("GOOG", "GOOGL", "XNAS", Date::constant(2014, 4, 3)),
    ("FOXA", "TFCFA", "XNAS", Date::constant(2019, 3, 19)),
    ("VXXB", "VXX", "BATS", Date::constant(2019, 5, 2)),
    ("FB", "META", "XNAS", Date::constant(2022, 6, 9)),
];

/// Name, listing, kind, description, first trading day: those that took a name another one had before.
const SUCCESSORS: &[(&str, &str, InstrumentKind, &str, Date)] = &[
    ("NWSA", "XNAS", Equity, "News Corporation Class A", Date::constant(2013, 7, 1)),
    ("GOOG", "XNAS", Equity, "Alphabet Inc. Class C", Date::constant(2014, 4, 3)),
    ("FOXA", "XNAS", Equity, "Fox Corporation Class A", Date::constant(2019, 3, 19)),
    ("AOL", "XNYS", Equity, "AOL Inc.", Date::constant(2009, 12, 10)),
];

/// Shares of London, quoted in pence.
const LONDON: &[(&str, &str)] = &[
    ("AZN", "AstraZeneca PLC"),
    ("BARC", "Barclays PLC"),
    ("HSBA", "HSBC Holdings plc"),
    ("LLOY", "Lloyds Banking Group plc"),
    ("OCDO", "Ocado Group plc"),
    ("SHEL", "Shell plc"),
    ("TSCO", "Tesco PLC"),
    ("ULVR", "Unilever PLC"),
    ("VOD", "Vodafone Group Public Limited Company"),
];

/// Base, quote, venue, kind.
const PAIRS: &[(&str, &str, Venue, InstrumentKind)] = &[
    ("BTC", "USD", Venue::CRYPTO, InstrumentKind::Crypto),
    ("BTC", "USDT", Venue::CRYPTO, InstrumentKind::Crypto),
    ("ETH", "USD", Venue::CRYPTO, InstrumentKind::Crypto),
    ("ETH", "USDT", Venue::CRYPTO, InstrumentKind::Crypto),
    ("SOL", "USDT", Venue::CRYPTO, InstrumentKind::Crypto),
    ("EUR", "USD", Venue::FX, InstrumentKind::Fx),
    ("GBP", "USD", Venue::FX, InstrumentKind::Fx),
    ("USD", "JPY", Venue::FX, InstrumentKind::Fx),
];

/// Indices of the United States.
const INDICES: &[(&str, &str)] = &[
    ("^DJI", "Dow Jones Industrial Average"),
    ("^GSPC", "S&P 500"),
    ("^IXIC", "NASDAQ Composite"),
    ("^NDX", "NASDAQ-100"),
    ("^VIX", "CBOE Volatility Index"),
];

/// The directory of all of the above.
pub(crate) fn directory() -> Directory {
    let mut directory = Directory::default();
    for (old, new, mic, first_day) in RENAMES {
        let venue = Venue::literal(mic);
        directory.rename(InstrumentId::new(old, venue), InstrumentId::new(new, venue), *first_day);
    }
    directory.extend(UNITED_STATES.iter().map(|(name, mic, kind, text)| american(name, mic, *kind, text)));
    directory.extend(SUCCESSORS.iter().map(|(name, mic, kind, text, listed)| {
        let mut instrument = american(name, mic, *kind, text);
        instrument.listed = Some(*listed);
        if *name == "AOL" {
            instrument.delisted = Some(Date::constant(2015, 6, 24));
        }
        instrument
    }));
    directory.extend(LONDON.iter().map(|(name, text)| {
        let pence = Denomination { currency: Currency::literal("GBP"), unit: Unit::Minor };
        described(InstrumentId::new(name, Venue::literal("XLON")), Equity, text, Some(pence))
    }));
    directory.extend(PAIRS.iter().map(|(base, quote, venue, kind)| {
        let name = format!("{base}/{quote}");
        let denomination = Denomination { currency: Currency::literal(quote), unit: Unit::Major };
        described(InstrumentId::new(&name, *venue), *kind, &name, Some(denomination))
    }));
    directory.extend(INDICES.iter().map(|(name, text)| {
        // An index counts in points, not in money.
        described(InstrumentId::new(name, Venue::INDEX), InstrumentKind::Index, text, None)
    }));
    directory
}

fn american(name: &str, mic: &str, kind: InstrumentKind, text: &str) -> Instrument {
    let id = InstrumentId::new(name, Venue::literal(mic));
    let mut instrument = described(id, kind, text, Some(Denomination::USD));
    instrument.lot = Some(Size::from(1));
    instrument.ticks = Some(TickTable::united_states());
    instrument
}

fn described(
    id: InstrumentId,
    kind: InstrumentKind,
    text: &str,
    denomination: Option<Denomination>,
) -> Instrument {
    let mut instrument = Instrument::new(id, kind);
    instrument.description = Some(text.into());
    instrument.denomination = denomination;
    instrument
}
