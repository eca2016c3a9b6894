//! `kozeni shop`: a shop's server, its goods and its orders.

mod report;

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use ::shop::books::OrderState;
use ::shop::operator::{Operation, OperatorError};
use ::shop::{Settings, ShopError};
use apdu_spec::value::TransactionId;
use clap::{Args, Subcommand};
use protocol::certificate::PartyName;

use crate::failure::Failure;
use crate::output::Printer;
use crate::parties::party_name;
use report::{Made, Shown};

#[derive(Debug, Args)]
#[command(after_help = HELP_END)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const HELP_END: &str = "\
Goods, orders, show, mark-paid and cancel ask the running server, or work on the books in the
folder where none runs; only cancel of an order in electronic money needs the server.

No card company or bank is connected. An order by credit-a, credit-b or bank-account gets an
invoice and stays \"acknowledged\" until an operator marks it paid or cancels it.

Every setting of the configuration file can come from the environment, for example
KOZENI_SHOP_FOLDER or KOZENI_SHOP_DUE_S.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a shop: folder, private key, request for a certificate, empty books
    Init(InitArguments),
    /// Run the server until SIGINT or SIGTERM; prints "ready URL" when it answers
    Serve(ServeArguments),
    /// What the shop sells
    Goods(GoodsArguments),
    /// List the newest orders
    Orders(OrdersArguments),
    /// Show one order with its lines and documents
    Show(ShowArguments),
    /// Mark an order as paid that is not in electronic money
    MarkPaid(MarkPaidArguments),
    /// End an unpaid order; in electronic money only when the payment server signs that nobody can
    /// pay it any more
    Cancel(CancelArguments),
}

#[derive(Debug, Args)]
struct InitArguments {
    /// Folder of the shop; made where there is none
    #[arg(long, env = "KOZENI_SHOP_FOLDER")]
    folder: PathBuf,
    /// Name of the shop, as buyers shall see it
    #[arg(long, value_parser = party_name)]
    name: PartyName,
    /// File of mode 0600 whose first line is the passphrase of the private key
    #[arg(long)]
    passphrase_file: PathBuf,
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// Configuration file (TOML)
    #[arg(long)]
    config: PathBuf,
    /// Where to listen, instead of what the configuration says
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// Which shop.
#[derive(Debug, Args)]
struct Place {
    /// Configuration file that names the shop's folder
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of the shop
    #[arg(long)]
    folder: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, Failure> {
        let found = ::shop::folder(self.config.as_deref(), self.folder.as_deref());
        match (found, &self.config) {
            (Ok(folder), _) => Ok(folder),
            (Err(error), Some(_)) => Err(ShopError::from(error).into()),
            (Err(_), None) => Err(Failure::other("no_folder", NO_FOLDER)),
        }
    }
}

const NO_FOLDER: &str = "which shop? give --folder, --config or KOZENI_SHOP_FOLDER";

#[derive(Debug, Args)]
struct GoodsArguments {
    #[command(subcommand)]
    command: GoodsCommand,
}

#[derive(Debug, Subcommand)]
enum GoodsCommand {
    /// Add a good, or change the one with this article number
    Add {
        #[command(flatten)]
        place: Place,
        /// Article number
        #[arg(long)]
        article: String,
        /// Name
        #[arg(long)]
        name: String,
        /// Price of one in minor units, for example yen or cents
        #[arg(long)]
        unit_price: u64,
    },
    /// List all goods
    List(Place),
    /// No longer sell a good
    Remove {
        #[command(flatten)]
        place: Place,
        /// Article number
        #[arg(long)]
        article: String,
    },
}

#[derive(Debug, Args)]
struct OrdersArguments {
    #[command(flatten)]
    place: Place,
    /// Only orders in this state: unpaid, acknowledged, paid, released or cancelled
    #[arg(long)]
    state: Option<OrderState>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    count_max: u32,
}

#[derive(Debug, Args)]
struct ShowArguments {
    #[command(flatten)]
    place: Place,
    /// Transaction of the order: 32 hexadecimal digits
    #[arg(long)]
    transaction: TransactionId,
}

#[derive(Debug, Args)]
struct MarkPaidArguments {
    #[command(flatten)]
    order: ShowArguments,
    /// Who says so; noted with the order
    #[arg(long)]
    operator: String,
}

#[derive(Debug, Args)]
struct CancelArguments {
    #[command(flatten)]
    order: ShowArguments,
    /// Who wants it; noted with the order
    #[arg(long, default_value = "operator")]
    operator: String,
}

pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    let (place, operation) = match arguments.command {
        Command::Init(InitArguments { folder, name, passphrase_file }) => {
            let made = ::shop::init(&folder, &name, &passphrase_file)?;
            return printer.print(&Made::from(made));
        }
        Command::Serve(arguments) => return serve(&arguments),
        Command::Goods(arguments) => goods_operation(arguments.command),
        Command::Orders(OrdersArguments { place, state, count_max }) => {
            (place, Operation::ListOrders { state, count_max })
        }
        Command::Show(ShowArguments { place, transaction }) => {
            (place, Operation::ShowOrder { transaction })
        }
        Command::MarkPaid(MarkPaidArguments {
            order: ShowArguments { place, transaction },
            operator,
        }) => (place, Operation::MarkPaid { transaction, operator }),
        Command::Cancel(CancelArguments {
            order: ShowArguments { place, transaction },
            operator,
        }) => (place, Operation::Cancel { transaction, operator }),
    };
    let folder = place.folder()?;
    let report = block_on(::shop::operate(&folder, operation))??;
    printer.print(&Shown(report))
}

fn goods_operation(command: GoodsCommand) -> (Place, Operation) {
    match command {
        GoodsCommand::Add { place, article, name, unit_price } => {
            (place, Operation::AddGood { article, name, unit_price })
        }
        GoodsCommand::List(place) => (place, Operation::ListGoods),
        GoodsCommand::Remove { place, article } => (place, Operation::RemoveGood { article }),
    }
}

fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let settings = Settings::load(&arguments.config, arguments.listen).map_err(ShopError::from)?;
    let ready = |address: SocketAddr| {
        // Whoever has started us may wait for this line; nobody has to.
        let _ = writeln!(io::stdout(), "ready http://{address}");
    };
    Ok(block_on(::shop::serve(settings, ready))??)
}

fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("threads"))?;
    Ok(runtime.block_on(work))
}

impl From<ShopError> for Failure {
    fn from(error: ShopError) -> Self {
        Self::other(code(&error), error)
    }
}

/// A word that programs can branch on.
const fn code(error: &ShopError) -> &'static str {
    match error {
        ShopError::Config(_) | ShopError::Settings(_) => "bad_configuration",
        ShopError::Key(_) => "bad_key",
        ShopError::Store(_) => "bad_books",
        ShopError::NoBooks { .. } => "no_books",
        ShopError::Serve(_) => "serving",
        ShopError::Peer(_) => "no_ca",
        ShopError::Io { .. } => "io",
        ShopError::NoAnswer(_) => "no_answer",
        ShopError::Operator(error) => match error {
            OperatorError::Text { .. } => "bad_text",
            OperatorError::Price => "bad_price",
            OperatorError::UnknownArticle => "unknown_article",
            OperatorError::UnknownTransaction => "unknown_transaction",
            OperatorError::ElectronicMoney => "electronic_money",
            OperatorError::State(_) => "wrong_state",
            OperatorError::StillPayable => "still_payable",
            OperatorError::Payment(_) => "payment_server",
            OperatorError::NotRunning => "not_running",
            OperatorError::Closed => "bad_books",
        },
    }
}
