//! `kozeni wallet`: the wallet's daemon, and everything that it does for the buyer.

mod checkout;
mod pin;
mod report;
mod screen;

use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ::wallet::client::{Client, ClientError};
use ::wallet::config::{Config, Flags};
use ::wallet::serve::{ServeFailure, serve};
use ::wallet::view::{GoodsView, PurchaseView, RecoveryView, StatusView};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Printer, hex};
use report::{Credits, Daemon, Goods, Purchase, Purchases, Recovered, Settings, Shops, Status};

#[derive(Debug, Args)]
#[command(after_help = HELP_END)]
pub(crate) struct Arguments {
    /// Socket of the wallet's daemon
    #[arg(long, global = true, env = "KOZENI_WALLET_SOCKET", value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Configuration file of the wallet's daemon (TOML), which says where its socket is
    #[arg(long, global = true, env = "KOZENI_WALLET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const HELP_END: &str = "\
Every subcommand but daemon asks the running daemon. What was interrupted goes on by itself when
the daemon starts, or with resume; a purchase that waits for you goes on with pay. Repeating
any of it never pays twice.

A purchase ends as complete, declined, cancelled_order, cancelled_invoice, refused, suspended,
not_authorised, lapsed or other_means.

Every setting of the configuration file can come from the environment, for example
KOZENI_WALLET_READER.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGINT or SIGTERM; prints "ready SOCKET" when it answers
    Daemon(DaemonArguments),
    /// Show the card and what is open
    Status,
    /// The shops that the wallet knows
    Shops(ShopsArguments),
    /// What a shop sells
    Goods {
        /// URL of the shop, or its name where the wallet knows it
        shop: String,
    },
    /// Order, pay, and show the receipt
    Order(OrderArguments),
    /// Go on with a purchase that waits for you
    Pay(PayArguments),
    /// Take value from the issuer: what waits there for the card, or a load order
    Load {
        /// A load order that the issuer has given as a file
        #[arg(long, value_name = "FILE")]
        order: Option<PathBuf>,
    },
    /// List all purchases, or show one
    History {
        /// The wallet's number of the purchase: 32 hexadecimal digits
        #[arg(conflicts_with = "loads")]
        purchase: Option<String>,
        /// List loads, and value that came back, instead
        #[arg(long)]
        loads: bool,
    },
    /// Tries, change, unblock
    Pin(pin::Arguments),
    /// Resolve everything that was interrupted
    Resume,
    /// Show or change settings
    Settings {
        /// Invoices up to this amount, in minor units, are paid without being shown; 0 shows all
        #[arg(long)]
        threshold: Option<u64>,
    },
}

#[derive(Debug, Args)]
struct DaemonArguments {
    /// Reader, instead of what the configuration says
    #[arg(long)]
    reader: Option<String>,
}

#[derive(Debug, Args)]
struct ShopsArguments {
    #[command(subcommand)]
    command: ShopsCommand,
}

#[derive(Debug, Subcommand)]
enum ShopsCommand {
    /// List them
    List,
    /// Add a shop by its URL
    Add {
        /// URL of the shop
        url: String,
    },
    /// Forget a shop
    Remove {
        /// URL of the shop
        url: String,
    },
}

#[derive(Debug, Args)]
struct OrderArguments {
    /// URL of the shop, or its name where the wallet knows it
    shop: String,
    /// Articles, each with how many: ARTICLE or ARTICLE:NUMBER
    #[arg(required = true, value_name = "ARTICLE[:NUMBER]", value_parser = screen::wish)]
    articles: Vec<::wallet::catalogue::Wish>,
    /// How to pay: electronic-money, credit-a, credit-b or bank-account
    #[arg(long, default_value = "electronic-money")]
    mode: String,
    #[command(flatten)]
    consent: checkout::Consent,
}

#[derive(Debug, Args)]
struct PayArguments {
    /// The wallet's number of the purchase: 32 hexadecimal digits
    purchase: String,
    #[command(flatten)]
    consent: checkout::Consent,
}

pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    let Arguments { socket, config, command } = arguments;
    if let Command::Daemon(DaemonArguments { reader }) = command {
        let config = config.ok_or_else(|| Failure::other("no_configuration", NO_CONFIG))?;
        return daemon(&config, Flags { socket, reader });
    }
    let socket = place(socket, config.as_deref())?;
    block_on(ask(&socket, command, printer))?
}

const NO_CONFIG: &str = "which configuration? give --config or KOZENI_WALLET_CONFIG";
const NO_SOCKET: &str =
    "which wallet? give --socket, --config, KOZENI_WALLET_SOCKET or KOZENI_WALLET_CONFIG";

fn daemon(config: &Path, flags: Flags) -> Result<(), Failure> {
    let config =
        Config::load(config, &flags).map_err(|error| Failure::other("bad_configuration", error))?;
    let ready = |socket: &Path| {
        // Whoever has started us may wait for this line; nobody has to.
        let _ = writeln!(io::stdout(), "ready {}", socket.display());
    };
    Ok(block_on(serve(config, ready))??)
}

fn place(socket: Option<PathBuf>, config: Option<&Path>) -> Result<PathBuf, Failure> {
    match (socket, config) {
        (Some(socket), _) => Ok(socket),
        (None, Some(config)) => Config::load(config, &Flags::default())
            .map(|config| config.socket())
            .map_err(|error| Failure::other("bad_configuration", error)),
        (None, None) => Err(Failure::other("no_wallet", NO_SOCKET)),
    }
}

fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("threads"))?;
    Ok(runtime.block_on(work))
}

async fn ask(socket: &Path, command: Command, printer: Printer) -> Result<(), Failure> {
    let owner = format!("kozeni wallet {} (process {})", command.name(), std::process::id());
    let client = Client::new(socket, &owner)?;
    match command {
        Command::Daemon(_) => printer.print(&Daemon),
        Command::Status => {
            let status: StatusView = client.fetch("/status").await?;
            let card = report::require_card(&status);
            printer.print(&Status(status))?;
            card
        }
        Command::Shops(ShopsArguments { command }) => shops(&client, command, printer).await,
        Command::Goods { shop } => {
            let url = shop_url(&client, &shop).await?;
            let goods: GoodsView = client.fetch(&format!("/goods?shop={}", encode(&url))).await?;
            printer.print(&Goods(goods))
        }
        Command::Order(arguments) => order(&client, arguments, printer).await,
        Command::Pay(PayArguments { purchase, consent }) => {
            let view: PurchaseView =
                client.fetch(&format!("/purchases/{}", encode(&purchase))).await?;
            checkout::go_on(&client, view, &consent, printer).await
        }
        Command::Load { order } => {
            let order = order
                .map(|path| std::fs::read(&path).map_err(Failure::io(path.display().to_string())));
            let order = order.transpose()?.map(|order| hex(&order));
            let credits: Credits = client.send("/load", &json!({ "order": order })).await?;
            let refused = credits.refused();
            printer.print(&credits)?;
            refused
        }
        Command::History { loads: true, .. } => {
            let credits: Credits = client.fetch("/credits").await?;
            printer.print(&credits)
        }
        Command::History { purchase: None, .. } => {
            let purchases: Purchases = client.fetch("/purchases").await?;
            printer.print(&purchases)
        }
        Command::History { purchase: Some(id), .. } => {
            let view: PurchaseView = client.fetch(&format!("/purchases/{}", encode(&id))).await?;
            printer.print(&Purchase(view))
        }
        Command::Pin(arguments) => pin::run(&client, &arguments, printer).await,
        Command::Resume => {
            let recovered: RecoveryView = client.send("/resume", &json!({})).await?;
            printer.print(&Recovered(recovered))
        }
        Command::Settings { threshold } => {
            let settings: Settings = match threshold {
                Some(threshold) => {
                    client.send("/settings", &json!({ "threshold": threshold })).await?
                }
                None => client.fetch("/settings").await?,
            };
            printer.print(&settings)
        }
    }
}

impl Command {
    const fn name(&self) -> &'static str {
        match self {
            Self::Daemon(_) => "daemon",
            Self::Status => "status",
            Self::Shops(_) => "shops",
            Self::Goods { .. } => "goods",
            Self::Order(_) => "order",
            Self::Pay(_) => "pay",
            Self::Load { .. } => "load",
            Self::History { .. } => "history",
            Self::Pin(_) => "pin",
            Self::Resume => "resume",
            Self::Settings { .. } => "settings",
        }
    }
}

async fn shops(client: &Client, command: ShopsCommand, printer: Printer) -> Result<(), Failure> {
    let shops: Shops = match command {
        ShopsCommand::List => client.fetch("/shops").await?,
        ShopsCommand::Add { url } => client.send("/shops", &json!({ "url": url })).await?,
        ShopsCommand::Remove { url } => {
            client.send("/shops/remove", &json!({ "url": url })).await?
        }
    };
    printer.print(&shops)
}

async fn order(
    client: &Client,
    arguments: OrderArguments,
    printer: Printer,
) -> Result<(), Failure> {
    let OrderArguments { shop, articles, mode, consent } = arguments;
    let shop = shop_url(client, &shop).await?;
    // The number is chosen here, so that a lost answer does not make a second purchase.
    let purchase = hex(&crate::parties::random::<16>()?);
    let order = json!({
        "purchase": purchase, "shop": shop, "lines": articles, "mode": mode, "draft": true,
    });
    let view: PurchaseView = client.send("/purchases", &order).await?;
    checkout::go_on(client, view, &consent, printer).await
}

/// A shop by its URL, or by its name where exactly one known shop has it.
async fn shop_url(client: &Client, shop: &str) -> Result<String, Failure> {
    if shop.contains("://") {
        return Ok(shop.to_owned());
    }
    let Shops { shops } = client.fetch("/shops").await?;
    let named =
        |name: &Option<String>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(shop));
    let mut found = shops.into_iter().filter(|known| named(&known.name));
    match (found.next(), found.next()) {
        (Some(known), None) => Ok(known.url),
        (None, _) => Err(Failure::usage("unknown_shop", format!("no known shop is named {shop}"))),
        (Some(_), Some(_)) => {
            let text = format!("several known shops are named {shop}; give the URL");
            Err(Failure::usage("ambiguous_shop", text))
        }
    }
}

/// A text as part of a URL (RFC 3986 §2.1).
fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

impl From<ServeFailure> for Failure {
    fn from(error: ServeFailure) -> Self {
        Self::other("serving", error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NoDaemon { .. } => Self::other("no_daemon", error),
            ClientError::NotDoneYet => Self::other("not_done_yet", error),
            ClientError::Wallet(content) => {
                let (code, exit_code) = kind(&content.kind);
                Self::WithExit { code, exit_code, text: content.text }
            }
        }
    }
}

/// The daemon's word for an error, and the exit code.
fn kind(kind: &str) -> (&'static str, u8) {
    match kind {
        "busy" => ("busy", 1),
        "unknown" => ("unknown", 2),
        "usage" => ("usage", 2),
        "state" => ("state", 1),
        "no_card" => ("no_card", 4),
        "pin_needed" => ("pin_needed", 3),
        "pin_wrong" => ("pin_wrong", 3),
        "refused" => ("refused", 3),
        "unreachable" => ("unreachable", 1),
        _ => ("failed", 1),
    }
}
