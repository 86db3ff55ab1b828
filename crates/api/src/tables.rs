//! The answers whose rows are written from columns, described for OpenAPI by the very same columns.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    Array, ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{PartialSchema, ToSchema};

use crate::envelope::{MetaOfOne, MetaOfSeveral};
use crate::form::{Absence, Column, Format, Kind};
use crate::meta::WarningTold;
use crate::{bars, lists, quotes};

/// An address whose rows are written from columns.
pub struct Table {
    /// Its path.
    pub path: &'static str,
    /// Name of the schema of a row.
    row: &'static str,
    /// What the rows are written from.
    columns: &'static [Column],
    /// Whether a symbol has one row that stands for itself instead of a list.
    single: bool,
}

macro_rules! tables {
    ($($path:literal $answer:ident of $row:literal from $columns:path, single: $single:literal;)*) => {
        /// Every address whose rows are written from columns.
        pub static TABLES: &[Table] =
            &[$(Table { path: $path, row: $row, columns: &$columns, single: $single },)*];

        $(
            #[doc = concat!("The answer of `", $path, "`.")]
            pub struct $answer;

            impl PartialSchema for $answer {
                fn schema() -> RefOr<Schema> {
                    table($path).answer()
                }
            }

            impl ToSchema for $answer {
                fn name() -> Cow<'static, str> {
                    stringify!($answer).into()
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    table($path).parts(schemas);
                }
            }
        )*

        /// The best there is where a constraint is not met: the answer the address would have given.
        pub struct Best;

        impl PartialSchema for Best {
            fn schema() -> RefOr<Schema> {
                let mut any = utoipa::openapi::schema::AnyOfBuilder::new();
                $(any = any.item(Ref::from_schema_name(stringify!($answer)));)*
                any.description(Some("The answer the address would have given")).into()
            }
        }

        impl ToSchema for Best {}
    };
}

tables! {
    "/v1/quotes/latest" QuoteAnswer of "Quote" from quotes::COLUMNS, single: true;
    "/v1/bars" BarAnswer of "Bar" from bars::COLUMNS, single: false;
    "/v1/trades" TradeAnswer of "Trade" from lists::TRADE, single: false;
    "/v1/news" NewsAnswer of "NewsItem" from lists::NEWS, single: false;
    "/v1/corporate-actions" ActionAnswer of "CorporateAction" from lists::ACTION, single: false;
}

/// The table of a path of the list.
fn table(path: &str) -> &'static Table {
    TABLES.iter().find(|table| table.path == path).expect("the path stands in the list")
}

/// The headers that mirror the envelope of such an answer, with what they say.
pub static HEADERS: [(&str, &str); 14] = [
    ("mda-vendor", "Who answered, separated by commas"),
    ("mda-grade", "The worst letter, A to F"),
    ("mda-attempts", "Exchanges with vendors, in order: `vendor:outcome`"),
    ("mda-basis", "What the numbers mean, where they mean the same: `adjustment=split; currency=USD; …`"),
    ("mda-cost", "What the request spent: `0.0000 USD`"),
    ("mda-simulated", "`true` if anything comes from a simulation"),
    ("mda-overhead-us", "Our own part of the time, in microseconds"),
    ("mda-next-page-token", "Token of the next page, of NDJSON and CSV"),
    ("cache-status", "Where the oldest part came from (RFC 9211)"),
    ("age", "Seconds since it was received"),
    ("link", "The next page, if there is one"),
    ("server-timing", "The whole time and our own part of it, in milliseconds"),
    ("x-request-id", "Id of the request: the caller's own, or ours"),
    ("x-warning", "A warning: code, symbol, detail; one header each, eight at most"),
];

impl Table {
    /// The envelope.
    fn answer(&self) -> RefOr<Schema> {
        let row = Ref::from_schema_name(self.row);
        let of_symbol = match self.single {
            true => OneOfBuilder::new().item(row).item(null()),
            false => OneOfBuilder::new().item(Array::new(row)).item(Ref::from_schema_name(self.lists_name())),
        };
        let data = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("By symbol as asked, in upper case; a symbol that failed is left out"))
            .additional_properties(Some(Schema::from(of_symbol)));
        let meta = OneOfBuilder::new()
            .item(Ref::from_schema_name(MetaOfOne::name()))
            .item(Ref::from_schema_name(MetaOfSeveral::name()))
            .description(Some("The facts about the answer"));
        let warnings = ArrayBuilder::new()
            .items(Ref::from_schema_name(WarningTold::name()))
            .description(Some("What the caller must know"));
        let next = ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Token of the next page; `null` on the last one"));
        let mut answer = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(format!("The answer of `{}`.", self.path)));
        for (name, schema) in [
            ("data", Schema::from(data)),
            ("meta", meta.into()),
            ("warnings", warnings.into()),
            ("next_page_token", next.into()),
        ] {
            answer = answer.property(name, schema).required(name);
        }
        answer.into()
    }

    /// All that the envelope refers to.
    fn parts(&self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((self.row.to_owned(), object(self.columns, value)));
        if !self.single {
            schemas.push((self.lists_name(), object(self.columns, list)));
        }
        schemas.push(("Decimal".to_owned(), decimal()));
        schemas.push(("Time".to_owned(), time()));
        for (name, schema) in [
            (MetaOfOne::name(), MetaOfOne::schema()),
            (MetaOfSeveral::name(), MetaOfSeveral::schema()),
            (WarningTold::name(), WarningTold::schema()),
        ] {
            schemas.push((name.into_owned(), schema));
        }
        MetaOfOne::schemas(schemas);
        MetaOfSeveral::schemas(schemas);
    }

    fn lists_name(&self) -> String {
        format!("{}Columns", self.row)
    }

    /// Adds the forms other than JSON, and the headers.
    pub fn complete(&self, response: &mut Response) {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let ndjson = format!("One JSON object a line: `symbol`, and what a `{}` holds", self.row);
        let csv = format!("A line of names, then one row a line (RFC 4180): `symbol,{}`", names.join(","));
        for (format, what) in [(Format::Ndjson, ndjson), (Format::Csv, csv)] {
            let text = ObjectBuilder::new().schema_type(Type::String).description(Some(what));
            let media = format.media_type().split(';').next().unwrap_or_default();
            response.content.insert(media.to_owned(), Content::new(Some(text)).into());
        }
        for (name, _) in HEADERS {
            let header = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert(name.to_owned(), RefOr::Ref(header));
        }
    }
}

/// An object with a property for each column.
fn object(columns: &[Column], property: fn(&Column) -> RefOr<Schema>) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    for column in columns {
        object = object.property(column.name, property(column));
        if column.absence != Absence::LeftOut {
            object = object.required(column.name);
        }
    }
    object.into()
}

/// A value of a row.
fn value(column: &Column) -> RefOr<Schema> {
    match column.absence {
        Absence::Never | Absence::LeftOut => known(column),
        Absence::Null => nullable(column),
    }
}

/// All values of a column: lists have the length of the rows, so that what is left out of a row is `null`.
fn list(column: &Column) -> RefOr<Schema> {
    match column.absence {
        Absence::Never => Array::new(known(column)).into(),
        Absence::Null | Absence::LeftOut => Array::new(nullable(column)).into(),
    }
}

fn nullable(column: &Column) -> RefOr<Schema> {
    OneOfBuilder::new().item(known(column)).item(null()).into()
}

fn known(column: &Column) -> RefOr<Schema> {
    let meaning = column.meaning;
    let plain = |kind: Type| ObjectBuilder::new().schema_type(kind).description(Some(meaning));
    let shared = |name: &str| {
        let mut shared = Ref::from_schema_name(name);
        shared.description = meaning.to_owned();
        shared
    };
    match column.kind {
        Kind::Flag => plain(Type::Boolean).into(),
        Kind::Number => shared("Decimal").into(),
        Kind::Count => plain(Type::Integer).minimum(Some(0)).into(),
        Kind::Text => plain(Type::String).into(),
        Kind::Texts => {
            let text = Object::with_type(Type::String);
            ArrayBuilder::new().items(text).description(Some(meaning)).into()
        }
        Kind::Time => shared("Time").into(),
        Kind::Date => plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into(),
    }
}

fn null() -> Schema {
    Object::with_type(Type::Null).into()
}

/// A price or quantity in each of its forms.
fn decimal() -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^-?[0-9]+(\.[0-9]+)?$"))
        .description(Some("With num=string"));
    OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Number).description(Some("With num=number")))
        .item(text)
        .description(Some("A price or quantity with all its digits"))
        .into()
}

/// A time in each of its forms.
fn time() -> RefOr<Schema> {
    let iso = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some("Z$"))
        .description(Some("RFC 3339 in UTC, with ts=iso"));
    let nanos = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^-?[0-9]+$"))
        .description(Some("Nanoseconds since 1970 as text, with ts=ns"));
    OneOfBuilder::new()
        .item(iso)
        .item(
            ObjectBuilder::new().schema_type(Type::Integer).description(Some(
                "Seconds, milliseconds or microseconds since 1970, with ts=s, ts=ms or ts=us",
            )),
        )
        .item(nanos)
        .description(Some("A point in time"))
        .into()
}
