//! PostgreSQL, an S3 server, and the SuperLinks that are started with them.

use std::cell::Cell;
use std::ops::Sub;
use std::process::{self, Command};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::measure::bench::figures::Maker;
use crate::measure::bench::generator::Generator;
use crate::measure::bench::load::VIRTUAL;
use crate::measure::bench::stage::{Stage, SuperLink};
use crate::measure::bench::usage;
use crate::measure::bench::what::Nodes;
use crate::support::python;

/// The servers beside SuperLinks.
pub(super) struct Stand<'s> {
    pub(super) stage: &'s Stage,
    postgres: flwr_postgres::Server,
    /// Where PostgreSQL listens.
    address: String,
    bucket: flwr_bucket::Server,
    /// Databases that were made.
    made: Cell<usize>,
}

/// Where SuperLinks keep their state.
#[derive(Clone, Copy)]
pub(super) enum Keeping {
    /// One keeps it in memory.
    Memory,
    /// One keeps it in SQLite and files.
    Sqlite,
    /// So many keep it in PostgreSQL and S3.
    Shared(usize),
}

/// SuperLinks that are one federation.
pub(super) struct Federation<'s> {
    stand: &'s Stand<'s>,
    superlinks: Vec<SuperLink>,
    /// The name of their database, if they have one.
    database: Option<String>,
}

/// Seconds of CPU time.
#[derive(Clone, Copy, Default)]
pub(super) struct Cpu {
    pub(super) superlinks: f64,
    pub(super) postgres: f64,
    pub(super) bucket: f64,
}

impl<'s> Stand<'s> {
    pub(super) fn start(stage: &'s Stage) -> Result<Self> {
        ensure!(
            flwr_postgres::programs().is_some(),
            "PostgreSQL is not installed: `apt-get install postgresql`"
        );
        let weed = python::seaweedfs()?;
        println!("Starting PostgreSQL and SeaweedFS ...");
        // An address that no other server has.
        let [.., third, fourth] = process::id().to_be_bytes();
        let address = format!("127.77.{third}.{fourth}");
        let settings = [
            &*format!("listen_addresses = '{address}'"),
            // What PostgreSQL has where nobody sets it.
            "shared_buffers = 128MB",
        ];
        Ok(Self {
            stage,
            postgres: flwr_postgres::Server::start_on_disk(&settings),
            address,
            bucket: flwr_bucket::Server::start_on_disk(&weed),
            made: Cell::new(0),
        })
    }

    /// Starts SuperLinks that have nothing from earlier ones. ServerApps are started by nobody.
    pub(super) fn superlinks(&self, keeping: Keeping, flags: &[&str]) -> Result<Federation<'_>> {
        let with = |places: &[&str]| -> Vec<String> {
            let all = [&VIRTUAL[..], flags, places].concat();
            all.into_iter().map(str::to_owned).collect()
        };
        let mut federation = Federation {
            stand: self,
            superlinks: Vec::new(),
            database: None,
        };
        match keeping {
            Keeping::Memory | Keeping::Sqlite => {
                let places: &[&str] = match keeping {
                    Keeping::Memory => &["--database", ":memory:"],
                    _ => &[],
                };
                let superlink = self.stage.superlink(Maker::Ours, &with(places))?;
                federation.superlinks.push(superlink);
            }
            Keeping::Shared(count) => {
                self.stage.forget()?;
                let database = self.new_database()?;
                let url = format!("postgres://flwr@{}/{database}", self.address);
                let storage = format!(
                    "s3://{}/{database}?region=us-east-1&endpoint=http://{}",
                    flwr_bucket::BUCKET,
                    self.bucket.address()
                );
                let flags = with(&["--database", &url, "--storage", &storage]);
                let variables = [
                    ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
                    ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
                ];
                federation.database = Some(database);
                for number in 1..=count {
                    let name = format!("bench-{number}");
                    let started = self.stage.superlink_of_several(&name, &flags, &variables);
                    federation.superlinks.push(started?);
                }
            }
        }
        Ok(federation)
    }

    fn new_database(&self) -> Result<String> {
        self.made.set(self.made.get() + 1);
        let name = format!("bench_{}", self.made.get());
        self.sql(&format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// What the server answers to the statement, in lines. No state is in the database that is asked.
    pub(super) fn sql(&self, statement: &str) -> Result<String> {
        let told = self.postgres.ask(statement).map_err(Error::msg)?;
        Ok(told.join("\n"))
    }
}

impl Federation<'_> {
    fn first(&self) -> Result<&SuperLink> {
        self.superlinks.first().context("no SuperLink was started")
    }

    pub(super) fn count(&self) -> usize {
        self.superlinks.len()
    }

    /// The ports that nodes connect to.
    fn fleets(&self) -> Vec<u16> {
        self.superlinks.iter().map(|each| each.fleet).collect()
    }

    /// The load generator, whose nodes go to each SuperLink in turn.
    pub(super) fn load(&self, nodes: Nodes) -> Result<Command> {
        self.load_at(&self.fleets(), nodes)
    }

    /// The load generator, whose nodes go to these ports in turn. Its ServerApp is at the first SuperLink.
    pub(super) fn load_at(&self, fleets: &[u16], nodes: Nodes) -> Result<Command> {
        Ok(self.stand.stage.load_at(fleets, self.first()?, nodes))
    }

    /// The load generator, whose nodes are at the last SuperLink. Its ServerApp is at the first.
    pub(super) fn load_across(&self, nodes: Nodes) -> Result<Command> {
        let last = self.superlinks.last().context("no SuperLink was started")?;
        self.load_at(&[last.fleet], nodes)
    }

    /// Starts a balancer before the SuperLinks. Gives its port.
    pub(super) fn balanced(&self) -> Result<(Generator, u16)> {
        let mut balancer = Generator::start(self.load(Nodes::Pip)?.arg("balance"))?;
        let port = balancer.event("listening")?["port"].as_u64();
        let port = port.and_then(|port| port.try_into().ok());
        Ok((balancer, port.context("the balancer told no port")?))
    }

    /// What the processes have used so far.
    pub(super) fn cpu(&self) -> Result<Cpu> {
        let mut cpu = Cpu::default();
        for superlink in &self.superlinks {
            cpu.superlinks += usage::cpu_seconds(superlink.daemon.id())?;
        }
        if self.database.is_some() {
            let (postgres, bucket) = (&self.stand.postgres, &self.stand.bucket);
            cpu.postgres = usage::cpu_seconds_with_children(postgres.process_id())?;
            cpu.bucket = usage::cpu_seconds_with_children(bucket.process_id())?;
        }
        Ok(cpu)
    }

    /// What the processes use in the time that the load generator tells.
    pub(super) fn cpu_of(&self, generator: &mut Generator) -> Result<Cpu> {
        generator.event("begun")?;
        let before = self.cpu()?;
        generator.event("over")?;
        Ok(self.cpu()? - before)
    }

    fn database(&self) -> Result<&str> {
        let database = self.database.as_deref();
        database.context("these SuperLinks have no database")
    }

    /// The transactions of the database so far.
    pub(super) fn transactions(&self) -> Result<f64> {
        let database = self.database()?;
        let sql = format!("SELECT xact_commit FROM pg_stat_database WHERE datname = '{database}'");
        let told = self.stand.sql(&sql)?;
        told.parse().with_context(|| format!("psql told {told:?}"))
    }

    /// Ends the sessions that LISTEN, and lets nobody connect to the database any more: no session can
    /// LISTEN again. Other sessions stay.
    pub(super) fn cut_listen(&self) -> Result<()> {
        let database = self.database()?;
        self.stand.sql(&format!(
            "ALTER DATABASE {database} ALLOW_CONNECTIONS false"
        ))?;
        let cut = self.stand.sql(&format!(
            "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{database}' AND query LIKE 'LISTEN %') AS ended"
        ))?;
        if cut != self.count().to_string() {
            bail!("{cut} sessions of {} SuperLinks listened", self.count());
        }
        Ok(())
    }

    /// Kills the last SuperLink.
    pub(super) fn kill_one(&mut self) {
        // Dropping a daemon kills it.
        self.superlinks.pop();
    }

    pub(super) fn stop(self) -> Result<()> {
        self.superlinks.into_iter().try_for_each(SuperLink::stop)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            superlinks: self.superlinks - before.superlinks,
            postgres: self.postgres - before.postgres,
            bucket: self.bucket - before.bucket,
        }
    }
}
