//! The vendors without a network: the gateway's transport seam inside one process.

use std::sync::Arc;

use domain::Instant;
use gateway::{Address, Pending, Transport, TransportError};
use vendors::{HttpRequest, HttpResponse};

use crate::fault::Fault;
use crate::world::{Ending, World};

/// Reaches the bottles of a world. Half of a vendor's latency passes on the way there, half on the way back.
pub struct SimulatedTransport {
    world: Arc<World>,
}

impl SimulatedTransport {
    /// A way to the vendors of a world.
    pub fn new(world: Arc<World>) -> SimulatedTransport {
        SimulatedTransport { world }
    }

    async fn exchange(
        &self,
        to: Address<'_>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Result<HttpResponse, TransportError> {
        let World { clock, entropy, faults, .. } = &*self.world;
        let bottle = self.world.bottle(to.vendor).ok_or(TransportError::Connect)?;
        // A gateway that does not ask the vendor's own hosts finds the secondary ones below `/_host`.
        let request = match request.path.strip_prefix("/_host/") {
            Some(elsewhere) => HttpRequest { path: format!("https://{elsewhere}"), ..request },
            None => request,
        };
        let refuses = |at| faults.at(to.vendor, at).iter().any(|spell| spell.fault == Fault::Refuse);
        if refuses(clock.now()) {
            return Err(TransportError::Connect);
        }
        let latency = bottle.latency().draw(entropy.unit());
        if !latency.is_zero() {
            let arrival = clock.now() + latency / 2;
            clock.sleep_until(arrival.min(deadline)).await;
            if deadline < arrival {
                return Err(TransportError::Timeout);
            }
        }
        let exchange = self.world.exchange(bottle, &request);
        let end = match &exchange.ending {
            Ending::Silence(spell) => spell.until,
            Ending::Reply(_) | Ending::Cut(_) | Ending::Refused => clock.now() + exchange.slow + latency / 2,
        };
        if deadline < end {
            clock.sleep_until(deadline).await;
            return Err(TransportError::Timeout);
        }
        if clock.now() < end {
            clock.sleep_until(end).await;
        }
        match exchange.ending {
            Ending::Reply(response) => Ok(response),
            Ending::Cut(_) | Ending::Silence(_) => Err(TransportError::Cut),
            Ending::Refused => Err(TransportError::Connect),
        }
    }
}

impl Transport for SimulatedTransport {
    fn send<'a>(
        &'a self,
        to: Address<'a>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.exchange(to, request, deadline))
    }
}
