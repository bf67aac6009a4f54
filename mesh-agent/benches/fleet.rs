//! A simulated fleet against a real agent: `cargo bench -p mcm-mesh-agent [-- --quick]`.
//!
//! 200 media proxies register up to 5000 connections, in groups of one source and four receivers,
//! each on another proxy. The benchmark measures the rate of registrations, beside that of calls
//! that do nothing; the time from the last registration until every proxy has confirmed all of its
//! bridges; the agents' memory and CPU time; and how both times grow with the connections: an
//! exponent of 1 is linear, of 2 quadratic. With etcd installed it repeats this with two agents on
//! one etcd.

use config::{ConnectionConfig, Endpoint};
use media::{Payload, Video};
use prost::Message;
use proto::Kind;
use proto::mediaproxy as pb;
use proto::mediaproxy::command_request::Command as Wire;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint as Address};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Members of a group: a source and receivers.
const MEMBERS: usize = 5;
/// Registrations of one proxy that are under way at a time.
const AT_A_TIME: usize = 4;
/// Longer than anything may take.
const DEADLINE: Duration = Duration::from_secs(300);

/// A process that ends with the bench.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Process {
    fn status(&self, field: &str) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
    }

    /// Seconds of CPU so far.
    fn cpu(&self) -> f64 {
        let text =
            std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        // Clock ticks are hundredths of a second on every Linux that this runs on.
        (ticks(11) + ticks(12)) / 100.0
    }
}

fn agent(store: Option<&str>) -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesh-agent"));
    command
        .args(["--listen=127.0.0.1", "-p", "0", "-c", "0"])
        .env("MCM_LOG", "warn,mesh_agent=info");
    if let Some(store) = store {
        command.args(["--store", store]);
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let process = Process(child);
    let address = loop {
        let line = lines.next().ok_or("the agent has ended")??;
        let found = line.strip_prefix("INFO: listening on ");
        if let Some(address) = found.and_then(|line| line.strip_suffix(" for media proxies")) {
            break address.parse()?;
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    Ok((process, address))
}

/// Confirmations of the whole fleet.
#[derive(Default)]
struct Fleet {
    bridges: AtomicUsize,
    commands: AtomicUsize,
    changed: Notify,
}

/// Registers a proxy, and confirms whatever it is told.
async fn proxy(
    number: usize,
    address: SocketAddr,
    fleet: Arc<Fleet>,
) -> Result<(String, ProxyApiClient<Channel>)> {
    let channel =
        Address::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
    let mut client = ProxyApiClient::new(channel).max_decoding_message_size(16 << 20);
    let registration = pb::RegisterMediaProxyRequest {
        sdk_api_port: 8002,
        rdma_config: Some(pb::RdmaProxyConfig {
            dataplane_ip_addr: format!("10.0.{}.{}", number / 250, number % 250 + 1),
            dataplane_local_ports: "9100-9999".into(),
        }),
        ..Default::default()
    };
    let id = client.register_media_proxy(registration).await?.into_inner().proxy_id;
    let start = pb::StartCommandQueueRequest { proxy_id: id.clone() };
    let mut commands = client.start_command_queue(start).await?.into_inner();
    let (mut replies, proxy_id) = (client.clone(), id.clone());
    tokio::spawn(async move {
        let mut before = 0;
        while let Ok(Some(command)) = commands.message().await {
            let Some(Wire::ApplyConfig(config)) = command.command else { continue };
            let reply = pb::CommandReply {
                req_id: command.req_id,
                proxy_id: proxy_id.clone(),
                reply: Some(pb::command_reply::Reply::ApplyConfig(pb::ApplyConfigReply::default())),
            };
            if replies.send_command_reply(reply).await.is_err() {
                return;
            }
            let now = config.bridges.len();
            // The sum over all proxies, though each may come and go.
            fleet.bridges.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
            fleet.commands.fetch_add(1, Ordering::Relaxed);
            before = now;
            fleet.changed.notify_one();
        }
    });
    Ok((id, client))
}

struct Case {
    connections: usize,
    set_up: f64,
    converged: f64,
    floor: f64,
    memory_mib: f64,
    cpu: f64,
    commands: usize,
}

async fn measure(store: Option<&str>, proxies: usize, connections: usize) -> Result<Case> {
    let agents = match store {
        None => vec![agent(None)?],
        Some(_) => vec![agent(store)?, agent(store)?],
    };
    let fleet = Arc::new(Fleet::default());
    let mut clients = Vec::new();
    for number in 0..proxies {
        let address = agents[number % agents.len()].1;
        let deadline = Instant::now() + Duration::from_secs(10);
        let client = loop {
            // With a store an agent needs a moment before it accepts proxies.
            match proxy(number, address, Arc::clone(&fleet)).await {
                Ok(client) => break client,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        clients.push(client);
    }
    // The registrations of each proxy.
    let groups = connections / MEMBERS;
    let mut work: BTreeMap<usize, Vec<pb::RegisterConnectionRequest>> = BTreeMap::new();
    for group in 0..groups {
        let endpoint = Endpoint::MultipointGroup { urn: format!("group-{group}") };
        let config = ConnectionConfig::new(endpoint, Payload::Video(Video::default()));
        for member in 0..MEMBERS {
            let number = (group * 7 + member * 31) % proxies;
            let kind = if member == 0 { Kind::Source } else { Kind::Receiver };
            work.entry(number).or_default().push(pb::RegisterConnectionRequest {
                proxy_id: clients[number].0.clone(),
                kind: if member == 0 { "rx" } else { "tx" }.into(),
                config: config.to_sdk_of(kind).encode_to_vec(),
                conn_id: String::new(),
            });
        }
    }
    // Calls that do nothing, from as many clients.
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (_, client) in &clients {
        for _ in 0..AT_A_TIME {
            let mut client = client.clone();
            tasks.spawn(async move {
                for _ in 0..10 {
                    client.send_command_reply(pb::CommandReply::default()).await?;
                }
                Ok::<_, tonic::Status>(())
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let floor = (clients.len() * AT_A_TIME * 10) as f64 / began.elapsed().as_secs_f64();
    let cpu_before: f64 = agents.iter().map(|(process, _)| process.cpu()).sum();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, requests) in work {
        let client = clients[number].1.clone();
        let queue = Arc::new(parking_lot::Mutex::new(requests.into_iter()));
        for _ in 0..AT_A_TIME {
            let (mut client, queue) = (client.clone(), Arc::clone(&queue));
            tasks.spawn(async move {
                loop {
                    let Some(request) = queue.lock().next() else {
                        return Ok::<_, tonic::Status>(());
                    };
                    // A store in a crowd may say that it has no time: proxies ask again.
                    while let Err(status) = client.register_connection(request.clone()).await {
                        if status.code() != tonic::Code::Unavailable || began.elapsed() > DEADLINE {
                            return Err(status);
                        }
                    }
                }
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let set_up = began.elapsed().as_secs_f64();
    let wanted = groups * (MEMBERS - 1) * 2;
    let last = Instant::now();
    while fleet.bridges.load(Ordering::Relaxed) != wanted {
        if last.elapsed() > DEADLINE {
            let found = fleet.bridges.load(Ordering::Relaxed);
            return Err(format!("{found} of {wanted} bridges after {DEADLINE:?}").into());
        }
        let _changed = tokio::time::timeout(Duration::from_secs(1), fleet.changed.notified()).await;
    }
    let converged = last.elapsed().as_secs_f64();
    let cpu: f64 = agents.iter().map(|(process, _)| process.cpu()).sum::<f64>() - cpu_before;
    let memory =
        agents.iter().filter_map(|(process, _)| process.status("VmRSS:")).max().unwrap_or(0);
    Ok(Case {
        connections: groups * MEMBERS,
        set_up,
        converged,
        floor,
        memory_mib: memory as f64 / 1024.0,
        cpu,
        commands: fleet.commands.load(Ordering::Relaxed),
    })
}

fn etcd(dir: &std::path::Path) -> Result<(Process, String)> {
    let free = || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let (client, peer) = (free()?, free()?);
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let child = Command::new("etcd")
        .arg("--data-dir")
        .arg(dir)
        .args(["--listen-client-urls", &url(client), "--advertise-client-urls", &url(client)])
        .args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)])
        .args(["--initial-cluster", &format!("default={}", url(peer))])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((Process(child), format!("etcd://127.0.0.1:{client}/bench-")))
}

async fn series(name: &str, store: Option<&str>, proxies: usize, sizes: &[usize]) -> Result<()> {
    let mut before: Option<Case> = None;
    for size in sizes {
        // Each size has keys of its own.
        let store = store.map(|store| format!("{store}{size}"));
        let case = measure(store.as_deref(), proxies, *size).await?;
        let rate = case.connections as f64 / case.set_up;
        let growth = before.as_ref().map(|before| {
            let factor = case.connections as f64 / before.connections as f64;
            let time = |case: &Case| case.set_up + case.converged;
            let [time, cpu] = [time(&case) / time(before), case.cpu / before.cpu];
            format!("{:>8.2}{:>8.2}", time.log(factor), cpu.log(factor))
        });
        println!(
            "{name:<7}{proxies:>8}{:>12}{rate:>14.0}{:>12.3}{:>12.3}{:>12.1}{:>10.2}{:>10}{}",
            case.connections,
            rate / case.floor,
            case.converged,
            case.memory_mib,
            case.cpu,
            case.commands,
            growth.unwrap_or_default(),
        );
        before = Some(case);
    }
    Ok(())
}

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (proxies, sizes): (_, &[usize]) =
        if quick { (20, &[125, 250]) } else { (200, &[1250, 2500, 5000]) };
    println!(
        "{:<7}{:>8}{:>12}{:>14}{:>12}{:>12}{:>12}{:>10}{:>10}{:>8}{:>8}",
        "store",
        "proxies",
        "connections",
        "set-ups/s",
        "of no-ops",
        "converged s",
        "memory MiB",
        "CPU s",
        "commands",
        "^ time",
        "^ CPU"
    );
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        series("memory", None, proxies, sizes).await?;
        let dir = tempfile::tempdir()?;
        match etcd(dir.path()) {
            Ok((_process, url)) => series("etcd", Some(&url), proxies, sizes).await,
            Err(error) => {
                println!("etcd is not measured: {error} (package etcd-server)");
                Ok(())
            }
        }
    })
}
