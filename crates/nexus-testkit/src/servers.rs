//! The real server in this process: every layer but the command line, over a world whose clock the test holds.

use std::net::SocketAddr;
use std::time::Duration;

use nexus_core::App;
use nexus_server::gateway::{Gateway, GatewayConfig};
use nexus_server::http::origins::Origins;
use nexus_server::http::{Door, Node};
use nexus_server::serve::{Connections, listen_all};

use crate::rests::Rest;
use crate::sessions::Session;
use crate::worlds::{Person, World};

/// How long a stopping server waits for requests, and then for sockets.
const DRAIN: Duration = Duration::from_secs(5);
/// Connections at once.
const CONNECTIONS: usize = 4_096;

/// A server without rate limits.
pub struct Server {
    /// What it serves.
    pub world: World,
    /// Where it listens.
    pub address: SocketAddr,
    gateway: Gateway,
    connections: Connections,
}

impl Server {
    /// Starts on a free port over a fresh world.
    pub fn start() -> Self {
        Self::serve(World::new(), SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts over a world.
    pub fn over(world: World) -> Self {
        Self::serve(world, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn serve(world: World, address: SocketAddr) -> Self {
        let listener = listen_all(&[address], false)
            .expect("the port is free")
            .pop()
            .expect("one address, one listener");
        let address = listener.local_addr().expect("it has an address");
        let gateway = Gateway::start(world.app.clone(), GatewayConfig::default());
        let node = Node::new(world.app.clone(), gateway.clone(), Origins::new(None, vec![], true), false);
        let connections = Connections::new(Door::new(node), CONNECTIONS);
        connections.accept(listener);
        Self {
            world,
            address,
            gateway,
            connections,
        }
    }

    /// The use cases.
    pub fn app(&self) -> &App {
        &self.world.app
    }

    /// Stops as a signal would stop it, and says what is left.
    pub async fn stop(self) -> World {
        let finished = self.connections.finish(DRAIN).await;
        assert!(finished, "every request ends in time");
        self.gateway.drain(DRAIN).await;
        self.world
    }

    /// Stops it and starts it again on the same port over the same data.
    pub async fn restart(self) -> Self {
        let address = self.address;
        let world = self.stop().await.restart().await;
        Self::serve(world, address)
    }

    /// Somebody who makes requests.
    pub fn rest(&self, person: &Person) -> Rest {
        Rest::new(self.address).with_token(&person.token)
    }

    /// A session of somebody, begun.
    pub async fn session(&self, person: &Person) -> Session {
        Session::begin(self.address, &person.token).await
    }
}
