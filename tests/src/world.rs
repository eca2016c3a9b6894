//! A whole world on loopback: CA, shop, payment server and wallet daemon, each its own process
//! with its own folder, a card in a reader, and a proxy on every way between two parties.

use std::fs;
use std::io::{self, Error};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::program;
use crate::proxy::{Proxy, Record};
use crate::slot::{Slot, Way};

/// The PIN of every card of a world.
pub const PIN: &str = "1234";
/// The PUK of every card of a world.
pub const PUK: &str = "87654321";

/// Which of the four programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Certificate authority.
    Ca,
    /// Ordering management server.
    Shop,
    /// Payment server.
    Payment,
    /// Wallet daemon.
    Wallet,
}

impl Party {
    /// Every party in the order in which they start.
    pub const ALL: [Self; 4] = [Self::Ca, Self::Payment, Self::Shop, Self::Wallet];

    /// Its name: folder, subcommand, log file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Shop => "shop",
            Self::Payment => "payment",
            Self::Wallet => "wallet",
        }
    }

    const fn serve(self) -> &'static str {
        if matches!(self, Self::Wallet) { "daemon" } else { "serve" }
    }
}

/// What may differ between worlds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the card is reached.
    pub way: Way,
    /// The payment server answers 180 without the receipt.
    pub explicit_receipt: bool,
    /// Life of a permit in seconds.
    pub permit_life_s: u64,
    /// How long invoices may be paid, in seconds.
    pub due_s: u64,
    /// Value to load at the beginning, in minor units; 0: none.
    pub load: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            way: Way::Direct,
            explicit_receipt: false,
            permit_life_s: 600,
            due_s: 172_800,
            load: 10_000,
        }
    }
}

/// A running world. Everything ends and goes away when it is dropped.
#[derive(Debug)]
pub struct World {
    // Fields are dropped in this order: programs before proxies, the reader before the folder.
    processes: Vec<(Party, Process)>,
    proxies: Proxies,
    /// Messages between the parties.
    pub record: Record,
    /// The reader with the card.
    pub slot: Slot,
    /// The number of the card, in hexadecimal.
    pub card: String,
    kozeni: PathBuf,
    folder: TempDir,
}

#[derive(Debug)]
struct Proxies {
    wallet_shop: Proxy,
    wallet_payment: Proxy,
    payment_shop: Proxy,
    shop_payment: Proxy,
}

const ISSUER: &str = "00000000000000a1";
const SHOP: &str = "0000000001230001";

impl World {
    /// Builds a world: certificates, servers, a card with value.
    ///
    /// # Errors
    /// When a step fails; the text has the program's own words.
    pub fn start(plan: &Plan) -> io::Result<Self> {
        let folder = TempDir::with_prefix("kozeni-world-")?;
        let record = Record::default();
        let slot = Slot::start(plan.way.clone(), folder.path())?;
        let mut world = Self {
            processes: Vec::new(),
            proxies: Proxies {
                wallet_shop: Proxy::start(&record, "wallet", "shop"),
                wallet_payment: Proxy::start(&record, "wallet", "payment"),
                payment_shop: Proxy::start(&record, "payment", "shop"),
                shop_payment: Proxy::start(&record, "shop", "payment"),
            },
            record,
            slot,
            card: String::new(),
            kozeni: program("kozeni"),
            folder,
        };
        world.write_secrets()?;
        world.found_ca()?;
        world.set_up_payment(plan)?;
        world.set_up_shop(plan)?;
        world.issue_card()?;
        world.set_up_wallet()?;
        if plan.load > 0 {
            world.load(plan.load)?;
        }
        Ok(world)
    }

    /// A path in the world's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The shop's address for the wallet.
    #[must_use]
    pub fn shop_url(&self) -> String {
        self.proxies.wallet_shop.url()
    }

    /// Runs `kozeni` with `--json` and returns its answer, also of a failure.
    ///
    /// # Errors
    /// When it answers no JSON.
    pub fn kozeni(&self, arguments: &[&str]) -> io::Result<Outcome> {
        let output = self.command(arguments).arg("--json").output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = serde_json::from_str(&text).map_err(|error| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Error::other(format!("kozeni {}: {error}: {text}{errors}", arguments.join(" ")))
        })?;
        Ok(Outcome { code: output.status.code(), value })
    }

    /// Runs `kozeni` and insists that it succeeds.
    ///
    /// # Errors
    /// When it does not.
    pub fn done(&self, arguments: &[&str]) -> io::Result<Value> {
        let outcome = self.kozeni(arguments)?;
        match outcome.code {
            Some(0) => Ok(outcome.value),
            code => {
                let what = arguments.join(" ");
                Err(Error::other(format!("kozeni {what} ended with {code:?}: {}", outcome.value)))
            }
        }
    }

    /// A `kozeni` command that reaches this world's reader and wallet.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kozeni);
        command.args(arguments).current_dir(self.folder.path());
        command.env("KOZENI_WALLET_SOCKET", self.path("wallet/wallet.sock"));
        self.slot.point(&mut command);
        command
    }

    /// The process of a party.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process(&mut self, party: Party) -> &mut Process {
        let found = self.processes.iter_mut().find(|(running, _)| *running == party);
        &mut found.unwrap_or_else(|| panic!("{party:?} does not run")).1
    }

    /// Starts a party (again) and points everybody to it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_party(&mut self, party: Party) -> io::Result<()> {
        self.processes.retain(|(running, _)| *running != party);
        let config = self.path(&format!("{}/{}.toml", party.name(), party.name()));
        let config = config.display().to_string();
        let mut command = self.command(&[party.name(), party.serve(), "--config", &config]);
        let log = self.path(&format!("{}.log", party.name()));
        let process = Process::start(party.name(), &mut command, &log)?;
        let address = process.address().to_owned();
        match party {
            Party::Shop => {
                self.proxies.wallet_shop.point(&address);
                self.proxies.payment_shop.point(&address);
            }
            Party::Payment => {
                self.proxies.wallet_payment.point(&address);
                self.proxies.shop_payment.point(&address);
            }
            Party::Ca | Party::Wallet => {}
        }
        self.processes.push((party, process));
        Ok(())
    }

    /// Kills a party as a power failure would and starts it again.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn crash(&mut self, party: Party) -> io::Result<()> {
        self.process(party).kill();
        self.start_party(party)
    }

    /// Stops every party in order and checks that each ends without an error.
    ///
    /// # Errors
    /// When one does not.
    pub fn stop(mut self) -> io::Result<()> {
        while let Some((_, process)) = self.processes.pop() {
            process.stop()?;
        }
        Ok(())
    }

    /// Loads value from the fund to the card, through a load order of an operator.
    ///
    /// # Errors
    /// When a step fails.
    pub fn load(&self, amount: u64) -> io::Result<Value> {
        let (amount, folder) = (amount.to_string(), self.path("payment").display().to_string());
        let payment = |arguments: &[&str]| {
            let fixed = ["--folder", &folder, "--operator", "teller", "--amount", &amount];
            self.done(&[&["payment"], arguments, &fixed[..]].concat())
        };
        payment(&["issue"])?;
        let order = self.path("load.cose").display().to_string();
        payment(&["load-order", "--card", &self.card, "--out", &order])?;
        let loaded = self.done(&["wallet", "load", "--order", &order]);
        fs::remove_file(order)?;
        loaded
    }

    /// All accounts of the payment server.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn balances(&self) -> io::Result<Value> {
        self.done(&["payment", "balances", "--folder", &self.path("payment").display().to_string()])
    }

    fn write_secrets(&self) -> io::Result<()> {
        let secret = |name: &str, content: &str| {
            let path = self.path(name);
            fs::write(&path, content)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        };
        secret("passphrase", "test passphrase\n")?;
        secret("pin", &format!("{PIN}\n"))?;
        secret("puk", &format!("{PUK}\n"))
    }

    fn found_ca(&mut self) -> io::Result<()> {
        let secret = ["--passphrase-file", "passphrase"];
        self.done(&[&["ca", "init", "--folder", "ca", "--name", "Test CA"], &secret[..]].concat())?;
        let folder = self.path("ca").display().to_string();
        let passphrase = self.path("passphrase").display().to_string();
        let config = format!(
            "folder = {folder:?}\npassphrase_file = {passphrase:?}\nlisten = \"127.0.0.1:0\"\n"
        );
        fs::write(self.path("ca/ca.toml"), config)?;
        self.start_party(Party::Ca)
    }

    fn certify(&self, party: Party, name: &str, more: &[&str]) -> io::Result<()> {
        let (request, chain) = (format!("{}/request.pem", party.name()), chain_of(party));
        let issue = format!("issue-{}", party.name());
        let fixed = [
            &["ca", &issue, "--folder", "ca", "--passphrase-file", "passphrase"][..],
            &["--request", &request, "--name", name, "--out", &chain],
            more,
        ];
        self.done(&fixed.concat()).map(drop)
    }

    fn set_up_payment(&mut self, plan: &Plan) -> io::Result<()> {
        let name = "ABC MONEY COLLECTION SERVICE";
        self.done(
            &[
                &[
                    "payment",
                    "init",
                    "--folder",
                    "payment",
                    "--issuer",
                    ISSUER,
                    "--currency",
                    "JPY",
                ][..],
                &["--name", name, "--passphrase-file", "passphrase"],
            ]
            .concat(),
        )?;
        let compact = ["--compact-out", "payment/compact.cose"];
        let more = [&["--issuer", ISSUER, "--generation", "1"], &compact[..]].concat();
        self.certify(Party::Payment, name, &more)?;
        let own = format!(
            "currency = \"JPY\"\ncompact_certificate = \"compact.cose\"\n\
             permit_life_s = {}\nexplicit_receipt = {}\n",
            plan.permit_life_s, plan.explicit_receipt
        );
        self.write_config(Party::Payment, &own)?;
        self.start_party(Party::Payment)
    }

    fn set_up_shop(&mut self, plan: &Plan) -> io::Result<()> {
        let name = "TOKYO ON-LINE MAIL ORDER DEALER";
        self.done(
            &[
                &["shop", "init", "--folder", "shop", "--name", name][..],
                &["--passphrase-file", "passphrase"],
            ]
            .concat(),
        )?;
        self.certify(Party::Shop, name, &["--shop", SHOP])?;
        let own = format!(
            "payment_url = {:?}\npayment_chain = {:?}\ndue_s = {}\nask_s = 1\nrefresh_s = 1\n\
             modes = [\"electronic-money\", \"credit-a\", \"credit-b\", \"bank-account\"]\n",
            self.proxies.wallet_payment.url(),
            self.path(&chain_of(Party::Payment)),
            plan.due_s
        );
        self.write_config(Party::Shop, &own)?;
        for (article, name, price) in
            [("A", "ARTICLE A", "1000"), ("B", "ARTICLE B", "2000"), ("C", "ARTICLE C", "1500")]
        {
            let fixed = ["shop", "goods", "add", "--folder", "shop", "--article", article];
            self.done(&[&fixed[..], &["--name", name, "--unit-price", price]].concat())?;
        }
        self.start_party(Party::Shop)?;
        let chain = chain_of(Party::Shop);
        let push = self.proxies.payment_shop.url();
        self.done(
            &[
                &["payment", "accept-shop", "--folder", "payment", "--operator", "teller"][..],
                &["--chain", &chain, "--push-url", &push],
            ]
            .concat(),
        )
        .map(drop)
    }

    fn write_config(&self, party: Party, own: &str) -> io::Result<()> {
        let shared = format!(
            "folder = {folder:?}\nlisten = \"127.0.0.1:0\"\nca_url = {ca:?}\nroot = {root:?}\n\
             key = {key:?}\nchain = {chain:?}\npassphrase_file = {secret:?}\n",
            folder = self.path(party.name()),
            ca = self.ca_url(),
            root = self.path("ca/root.pem"),
            key = self.path(&format!("{}/key.pem", party.name())),
            chain = self.path(&chain_of(party)),
            secret = self.path("passphrase"),
        );
        fs::write(self.path(&format!("{0}/{0}.toml", party.name())), shared + own)
    }

    fn ca_url(&self) -> String {
        let ca = self.processes.iter().find(|(party, _)| *party == Party::Ca);
        ca.map(|(_, process)| process.address().to_owned()).unwrap_or_default()
    }

    fn issue_card(&mut self) -> io::Result<()> {
        let reader = self.slot.reader().to_owned();
        let ca = self.ca_url();
        let personalised = self.done(
            &[
                &["card", "personalise", "--reader", &reader, "--issuer", ISSUER][..],
                &[
                    "--card-root",
                    &ca,
                    "--currency",
                    "JPY",
                    "--pin-file",
                    "pin",
                    "--puk-file",
                    "puk",
                ],
            ]
            .concat(),
        )?;
        self.card = personalised["card"].as_str().unwrap_or_default().to_owned();
        let registered =
            self.done(&["ca", "register-holder", "--folder", "ca", "--name", "Hanako Yamada"])?;
        let code = registered["code"].as_str().unwrap_or_default();
        fs::write(self.path("code"), code)?;
        fs::set_permissions(self.path("code"), fs::Permissions::from_mode(0o600))?;
        self.done(
            &[
                &["card", "enrol", "--reader", &reader, "--ca", &ca][..],
                &["--root", "ca/root.pem", "--code-file", "code"],
            ]
            .concat(),
        )
        .map(drop)
    }

    /// Makes the wallet's folder and configuration, and starts its daemon.
    ///
    /// # Errors
    /// When it does not start.
    pub fn set_up_wallet(&mut self) -> io::Result<()> {
        fs::create_dir_all(self.path("wallet"))?;
        let config = format!(
            "folder = {:?}\nreader = {:?}\nroot = {:?}\nca_url = {:?}\npayment_url = {:?}\n",
            self.path("wallet"),
            self.slot.reader(),
            self.path("ca/root.pem"),
            self.ca_url(),
            self.proxies.wallet_payment.url(),
        );
        fs::write(self.path("wallet/wallet.toml"), config)?;
        self.start_party(Party::Wallet)?;
        let shop = self.shop_url();
        self.done(&["wallet", "shops", "add", &shop]).map(drop)
    }
}

/// What a `kozeni` command answered.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// The JSON object.
    pub value: Value,
}

fn chain_of(party: Party) -> String {
    format!("{}/chain.pem", party.name())
}
