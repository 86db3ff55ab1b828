//! Polygon.

use domain::{Instant, VendorId};

use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Profile, Question, Rejection, Status,
    VendorClass,
};

/// The dialect of Polygon.
pub struct Polygon;

static PROFILE: Profile = Profile {
    id: VendorId("polygon"),
    aliases: &[],
    class: VendorClass::EquityDelayed,
    status: Status::Active,
    base_urls: &[],
    key: KeySlot::None,
    key_variables: &[],
    offers: &[],
    quota_zone: "America/New_York",
    feed: "polygon",
};

impl Codec for Polygon {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        ""
    }

    fn encode_request(&self, _ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        Err(Rejection::Unsupported)
    }

    fn decode_response(
        &self,
        _ask: &Ask<'_>,
        _sent: &HttpRequest,
        _response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        Err(Rejection::Unsupported)
    }

    fn decode_request(&self, _request: &HttpRequest) -> Result<Question, Rejection> {
        Err(Rejection::Unsupported)
    }

    fn encode_response(
        &self,
        _request: &HttpRequest,
        _question: Option<&Question>,
        _outcome: &Result<Data, Rejection>,
        _now: Instant,
    ) -> HttpResponse {
        HttpResponse::text(500, "")
    }
}
