//! The program `card-sim`: a Kozeni card made of software. Wiring only.

use applet::manufacture;
use card_sim::{Card, Chip, FileChip, RamChip, SmartCard, Stop, Traced, direct, open_trace, vpcd};
use clap::{Args, Parser, Subcommand};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// How long to wait for vpcd at the start: pcscd opens it only once it is up.
const VPCD_WAIT_MAX: Duration = Duration::from_secs(10);

/// A Kozeni card made of software.
///
/// It runs the same applet as a real card, in a chip that is a file or plain memory. Hosts reach
/// it through vpcd, the virtual reader of pcscd, or on a Unix socket.
///
/// It is for development and tests: who can read the file or the memory owns the money.
#[derive(Parser)]
#[command(version, after_long_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  card-sim new my.card
      Make a blank card. It holds no money until it is personalised.
  card-sim run --file my.card --socket ./private/card.sock
      Serve it on a socket, in the folder ./private that only you can enter.
  card-sim run --file my.card --vpcd localhost:35963 --trace apdus.jsonl
      Put it into the virtual reader and write down what each APDU costs.

It prints \"ready\" once hosts can reach the card, and runs until Ctrl-C or SIGTERM.
Set RUST_LOG=debug to see every APDU, without its data, on the standard error output.

Exit status: 0 all went well, 1 something failed, 2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    /// Make a blank card in a new file
    New {
        /// The file to make; it must not exist
        file: PathBuf,
    },
    /// Run a card until Ctrl-C or SIGTERM, or until vpcd closes the connection
    #[command(after_long_help = EXAMPLES)]
    Run(RunArguments),
}

#[derive(Args)]
struct RunArguments {
    #[command(flatten)]
    chip: ChipArguments,
    #[command(flatten)]
    transport: TransportArguments,
    /// Append one JSON line per APDU to FILE: header, lengths and costs, never data
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ChipArguments {
    /// Run the card in FILE, made before with `card-sim new`
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Run a new blank card in memory, gone when the program ends
    #[arg(long)]
    ram: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct TransportArguments {
    /// Connect to vpcd on this machine, usually at localhost:35963
    #[arg(long, value_name = "HOST:PORT")]
    vpcd: Option<String>,
    /// Listen on the Unix socket PATH; its folder is made, or must be closed to others
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match arguments.command {
        Command::New { file } => new(&file),
        Command::Run(arguments) => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("card-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn new(file: &Path) -> Outcome {
    FileChip::create(file, manufacture)?;
    Ok(())
}

fn run(arguments: &RunArguments) -> Outcome {
    match &arguments.chip.file {
        Some(file) => trace(Card::new(FileChip::open(file)?), arguments),
        None => {
            let card = Card::blank(RamChip::new());
            let card = card.map_err(|_| "the card in memory cannot be made: try again")?;
            trace(card, arguments)
        }
    }
}

/// Runs the card, with its trace if one is wanted.
fn trace<C: Chip>(mut card: Card<C>, arguments: &RunArguments) -> Outcome {
    let Some(path) = &arguments.trace else {
        return serve(&mut card, &arguments.transport);
    };
    let mut traced = Traced::new(card, open_trace(path)?);
    let outcome = serve(&mut traced, &arguments.transport);
    eprintln!("{}", traced.summary());
    outcome
}

fn serve(card: &mut dyn SmartCard, transport: &TransportArguments) -> Outcome {
    let stop = Stop::on_signals()
        .map_err(|error| format!("signals cannot be caught ({error}): check system limits"))?;
    if let Some(path) = &transport.socket {
        let server = direct::Server::bind(path)?;
        say_ready();
        server.serve(card, &stop)?;
    }
    if let Some(address) = &transport.vpcd
        && let Some(mut client) = vpcd::Client::connect(address, VPCD_WAIT_MAX, &stop)?
    {
        say_ready();
        client.serve(card, &stop)?;
    }
    Ok(())
}

/// Nobody has to listen, so a closed output is no reason to fail.
fn say_ready() {
    let mut output = std::io::stdout();
    let _ = writeln!(output, "ready").and_then(|()| output.flush());
}
