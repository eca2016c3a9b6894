//! `kozeni payment`: a payment server, for its operator.

mod report;

use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ::payment::admin::{Admin, AdminError};
use ::payment::view::{IssueOrder, LoadOrderOrder, PaymentFilter, ShopOrder, from_hex};
use ::payment::{Config, Flags, NewServer, PaymentError};
use apdu_spec::value::{CardId, CreditId, Currency, IssuerId, RequestId, ShopId};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use protocol::certificate::PartyName;
use server::Stop;

use crate::failure::Failure;
use crate::output::Printer;
use crate::parties::party_name;
use report::{Made, MadeLoadOrder, Shown};

#[derive(Debug, Args)]
#[command(after_help = HELP_END)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const HELP_END: &str = "\
All but init and serve ask the running server over the socket in its folder, as the same user.
Amounts are in minor units of the server's currency, for example yen or cents.

Every setting of the configuration file can come from the environment, for example
KOZENI_PAYMENT_LISTEN.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a payment server: folder, private key, request for a certificate, empty books
    Init(InitArguments),
    /// Run the server until SIGINT or SIGTERM; prints "ready URL" when it answers
    Serve(ServeArguments),
    /// Issue value into the fund
    Issue(IssueArguments),
    /// Make a signed load order, with which a card takes value from the fund
    LoadOrder(LoadOrderArguments),
    /// Collect for a shop, and push receipts to it
    AcceptShop(ShopArguments),
    /// Show every account, and whether the books add up
    Balances(Place),
    /// List payments, the newest first
    Payments(PaymentsArguments),
    /// List the cards that the server has met
    Cards(Place),
}

#[derive(Debug, Args)]
struct InitArguments {
    /// Folder of the server; made where there is none
    #[arg(long, env = "KOZENI_PAYMENT_FOLDER", value_name = "FOLDER")]
    folder: PathBuf,
    /// The issuer whose value it holds: 16 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    issuer: IssuerId,
    /// Currency of all value, as its name or number in ISO 4217
    #[arg(long)]
    currency: CurrencyArgument,
    /// Name for the certificate
    #[arg(long, value_parser = party_name)]
    name: PartyName,
    /// File of mode 0600 whose first line is the passphrase of the private key
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
    /// Where the CA is, for the configuration file
    #[arg(long, default_value = "http://127.0.0.1:7401", value_name = "URL")]
    ca_url: String,
}

#[derive(Clone, Copy, Debug)]
struct CurrencyArgument(Currency);

impl FromStr for CurrencyArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = match text.parse() {
            Ok(number) => iso_currency::Currency::from_numeric(number),
            Err(_) => iso_currency::Currency::from_code(&text.to_ascii_uppercase()),
        };
        let known = known.ok_or("not a currency of ISO 4217, for example JPY")?;
        Ok(Self(Currency(known.numeric())))
    }
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to listen, instead of what the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Which payment server.
#[derive(Debug, Args)]
struct Place {
    /// Configuration file that names the server's folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the server
    #[arg(
        long,
        env = "KOZENI_PAYMENT_FOLDER",
        value_name = "FOLDER",
        required_unless_present = "config"
    )]
    folder: Option<PathBuf>,
}

impl Place {
    fn admin(&self) -> Result<Admin, Failure> {
        if let Some(config) = &self.config {
            let config = Config::load(config, &Flags::default());
            return Ok(Admin::new(&config.map_err(PaymentError::from)?.folder));
        }
        Ok(Admin::new(self.folder.as_deref().unwrap_or(Path::new("."))))
    }
}

/// Which payment server, and who orders something of it.
#[derive(Debug, Args)]
struct Order {
    #[command(flatten)]
    place: Place,
    /// Who orders it; stands in the signed document
    #[arg(long, env = "KOZENI_OPERATOR", value_name = "NAME")]
    operator: String,
}

#[derive(Debug, Args)]
struct IssueArguments {
    #[command(flatten)]
    order: Order,
    /// Amount in minor units
    #[arg(long)]
    amount: u64,
    /// Number of the issue record, 32 hexadecimal digits: the same number issues once
    #[arg(long, value_name = "HEX")]
    id: Option<RequestId>,
}

#[derive(Debug, Args)]
struct LoadOrderArguments {
    #[command(flatten)]
    order: Order,
    /// The card that may take the value: 16 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    card: CardId,
    /// Amount in minor units
    #[arg(long)]
    amount: u64,
    /// Until when a token may be asked for: a date such as 2027-01-31T12:00:00Z, or a time from now
    /// such as 12h [default: 720h]
    #[arg(long, value_name = "TIME")]
    expires: Option<ExpiryArgument>,
    /// Number of the load order, 32 hexadecimal digits: the same number makes one load order
    #[arg(long, value_name = "HEX")]
    id: Option<CreditId>,
    /// Where to write the signed load order [default: load-ID.cose]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A time, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct ExpiryArgument(u64);

impl FromStr for ExpiryArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = match text.parse::<Timestamp>() {
            Ok(date) => date,
            Err(_) => {
                let pause: SignedDuration = text.parse().map_err(|_| NO_TIME.to_owned())?;
                Timestamp::now().checked_add(pause).map_err(|error| error.to_string())?
            }
        };
        u64::try_from(date.as_second()).map(Self).map_err(|_| NO_TIME.to_owned())
    }
}

const NO_TIME: &str = "neither a date such as 2027-01-31T12:00:00Z nor a time such as 12h";

#[derive(Debug, Args)]
struct ShopArguments {
    #[command(flatten)]
    order: Order,
    /// The shop's certificate chain (PEM), leaf first
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// Where the shop's server is
    #[arg(long, value_name = "URL")]
    push_url: String,
}

#[derive(Debug, Args)]
struct PaymentsArguments {
    #[command(flatten)]
    place: Place,
    /// Only to this shop: 16 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    shop: Option<ShopId>,
    /// Only of this holder
    #[arg(long, value_name = "NUMBER")]
    payer: Option<String>,
    /// Only in this state
    #[arg(long, value_parser = ["open", "paid", "past due", "cancelled"])]
    state: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    match arguments.command {
        Command::Init(arguments) => printer.print(&init(&arguments)?),
        Command::Serve(arguments) => serve(&arguments),
        Command::Issue(IssueArguments { order, amount, id }) => {
            let Order { place, operator } = order;
            let issue = IssueOrder { id, amount, operator };
            printer.print(&Shown(ask(place.admin()?.issue(&issue))?))
        }
        Command::LoadOrder(arguments) => printer.print(&load_order(arguments)?),
        Command::AcceptShop(ShopArguments { order, chain, push_url }) => {
            let Order { place, operator } = order;
            let path = chain.display().to_string();
            let chain = fs::read_to_string(chain).map_err(Failure::io(path))?;
            let shop = ShopOrder { chain, push_url, operator };
            printer.print(&Shown(ask(place.admin()?.accept_shop(&shop))?))
        }
        Command::Balances(place) => printer.print(&Shown(ask(place.admin()?.balances())?)),
        Command::Payments(PaymentsArguments { place, shop, payer, state, limit }) => {
            let filter = PaymentFilter { shop, payer, state, limit: Some(limit) };
            printer.print(&Shown(ask(place.admin()?.payments(&filter))?))
        }
        Command::Cards(place) => printer.print(&Shown(ask(place.admin()?.cards())?)),
    }
}

fn init(arguments: &InitArguments) -> Result<Made, Failure> {
    let new = NewServer {
        folder: &arguments.folder,
        issuer: arguments.issuer,
        currency: arguments.currency.0,
        name: &arguments.name,
        passphrase_file: &arguments.passphrase_file,
        ca_url: &arguments.ca_url,
    };
    Ok(new.make()?.into())
}

fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let config = Config::load(&arguments.config, &Flags { listen: arguments.listen });
    let config = config.map_err(PaymentError::from)?;
    let ready = |address: SocketAddr| {
        // Whoever has started us may wait for this line; nobody has to.
        let _ = writeln!(io::stdout(), "ready http://{address}");
    };
    block_on(async {
        let stop = Stop::on_signals().map_err(Failure::io("signals"))?;
        Ok(::payment::serve(&config, stop, ready).await?)
    })?
}

fn load_order(arguments: LoadOrderArguments) -> Result<MadeLoadOrder, Failure> {
    let LoadOrderArguments { order, card, amount, expires, id, out } = arguments;
    let Order { place, operator } = order;
    let expires = expires.map(|expiry| expiry.0);
    let order = LoadOrderOrder { id, card, amount, expires, operator };
    let made = ask(place.admin()?.order_load(&order))?;
    let out = out.unwrap_or_else(|| format!("load-{}.cose", made.id).into());
    let bytes = from_hex(&made.document);
    let bytes = bytes.ok_or_else(|| Failure::other("garbled", "no document in the answer"))?;
    fs::write(&out, bytes).map_err(Failure::io(out.display().to_string()))?;
    Ok(MadeLoadOrder::new(made, out))
}

/// Waits for what the running server answers.
fn ask<T>(answer: impl Future<Output = Result<T, AdminError>>) -> Result<T, Failure> {
    Ok(block_on(answer)?.map_err(PaymentError::from)?)
}

fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("threads"))?;
    Ok(runtime.block_on(work))
}

impl From<PaymentError> for Failure {
    fn from(error: PaymentError) -> Self {
        Self::other(error.code(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_names_and_numbers() {
        for text in ["JPY", "jpy", "392"] {
            assert_eq!(text.parse::<CurrencyArgument>().unwrap().0, Currency(392), "{text}");
        }
        for text in ["", "XXQ", "1", "-1", "70000"] {
            assert!(text.parse::<CurrencyArgument>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_end_is_a_date_or_a_time_from_now() {
        let date: ExpiryArgument = "2027-01-31T12:00:00Z".parse().unwrap();
        assert_eq!(date.0, 1_801_396_800);
        let soon: ExpiryArgument = "12h".parse().unwrap();
        let now = u64::try_from(Timestamp::now().as_second()).unwrap();
        assert!((now + 12 * 3600 - 60..=now + 12 * 3600).contains(&soon.0));
        for text in ["", "tomorrow", "1900-01-01T00:00:00Z"] {
            assert!(text.parse::<ExpiryArgument>().is_err(), "{text}");
        }
    }
}
