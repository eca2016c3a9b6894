//! `demo`: a purchase from card to receipt, by separate processes, on this machine's loopback.
//!
//! Starts a CA, a payment server, a shop and a wallet daemon, puts a software card into pcscd's
//! virtual reader (or onto a local socket where pcscd cannot run), loads 10,000 JPY, buys article
//! A once and article C twice, shows every message and screen, verifies the evidence, shows that
//! the books add up, and leaves nothing running.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "answers of our own programs, and counts of a few messages"
)]

use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use e2e::costs::{self, Costs};
use e2e::proxy::Message;
use e2e::slot::Way;
use e2e::world::{Plan, World};
use serde_json::{Value, json};

/// A purchase from card to receipt, by separate processes.
#[derive(Debug, Parser)]
struct Arguments {
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Use the blank card in this PC/SC reader instead of the software card.
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// Let a part of the protocol take its other form.
    #[arg(long, value_name = "NAME")]
    variant: Option<Variant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Variant {
    /// The receipt comes by messages 190 and 200.
    ExplicitReceipt,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let way = arguments.reader.clone().map_or_else(Way::best, Way::Reader);
    let explicit_receipt = arguments.variant == Some(Variant::ExplicitReceipt);
    heading("CA, payment server, shop, wallet daemon and card");
    let world = World::start(&Plan { way, explicit_receipt, ..Plan::default() })?;
    println!("reader  {} ({})", world.slot.reader(), way_name(world.slot.way()));
    println!("card    {}, loaded with 10,000 JPY", world.card);

    let before = Mark::now(&world)?;
    heading("Order, invoice, receipt");
    buy(&world)?;
    let after = Mark::now(&world)?;
    let messages = world.record.messages();
    show_messages(&messages);
    let purchase = costs_between(&world, &before, &after)?;
    show_costs(&purchase);
    let evidence = verify_evidence(&world)?;
    let (balances, issued, accounted) = show_balances(&world)?;
    let reader = world.slot.reader().to_owned();
    world.stop()?;
    let result = json!({
        "ok": true,
        "reader": reader,
        "messages": messages,
        "card": {"purchase": purchase},
        "balances": balances,
        "issued": issued,
        "accounted": accounted,
        "evidence": evidence,
    });
    if arguments.json {
        println!("{result}");
    }
    Ok(())
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn way_name(way: &Way) -> &'static str {
    match way {
        Way::Pcscd => "pcscd's virtual reader",
        Way::Direct => "direct transport: pcscd cannot run here",
        Way::Reader(_) => "a reader of yours",
    }
}

/// Lets the buyer's program show its screens and answer OK.
fn buy(world: &World) -> io::Result<()> {
    let shop = world.shop_url();
    let status = world
        .command(&["wallet", "order", &shop, "A:1", "C:2", "--yes", "--pin-file", "pin"])
        .status()?;
    if status.success() { Ok(()) } else { Err(Error::other(format!("the order ended: {status}"))) }
}

fn show_messages(messages: &[Message]) {
    heading("Messages");
    println!("{:>5}  {:9} {:20} {:>6}  {:>9}", "no.", "flow", "direction", "bytes", "ms");
    for one in messages {
        let direction = format!("{} → {}", one.from, one.to);
        println!("{:>5}  {:9} {direction:20} {:>6}  {:>9.1}", one.no, one.flow, one.bytes, one.ms);
    }
}

/// How far trace and log had come.
struct Mark {
    trace: usize,
    log: usize,
}

impl Mark {
    fn now(world: &World) -> io::Result<Self> {
        let log = world.slot.exchanges()?.map_or(0, |exchanges| exchanges.len());
        Ok(Self { trace: world.slot.trace()?.len(), log })
    }
}

/// The chip's counts, which pcscd's log must agree with.
fn costs_between(world: &World, before: &Mark, after: &Mark) -> io::Result<Costs> {
    let trace = world.slot.trace()?;
    let counted = costs::of_trace(&trace[before.trace..after.trace]);
    if let Some(exchanges) = world.slot.exchanges()? {
        let logged = costs::of_log(&exchanges[before.log..after.log]);
        if logged != (counted.apdus, counted.bytes) {
            let chip = (counted.apdus, counted.bytes);
            return Err(Error::other(format!("pcscd counts {logged:?}, the chip {chip:?}")));
        }
    }
    let times: Vec<u64> = trace.iter().filter_map(|line| line["us"].as_u64()).collect();
    if let Some(median) = median(times) {
        println!("\nmedian time of an APDU, inside the software card: {median} µs");
    }
    Ok(counted)
}

fn median(mut times: Vec<u64>) -> Option<u64> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn show_costs(costs: &Costs) {
    heading("What the purchase cost the card");
    println!("{:>4} APDUs with SELECT, {} bytes both ways", costs.apdus, costs.bytes);
    println!("{:>4} signatures, {} verifications", costs.signatures, costs.verifications);
    println!("{:>4} self-checks of signatures", costs.self_checks);
    println!("{:>4} purse commit, {} PIN writes", costs.purse_commits, costs.pin_writes);
    println!("{:>4} bytes written, {} idle APDUs", costs.nvm_bytes, costs.idle_apdus);
}

/// Verifies the newest purchase's bundle offline, and keeps it for whoever wants to try again.
fn verify_evidence(world: &World) -> io::Result<PathBuf> {
    heading("Evidence");
    let history = world.done(&["wallet", "history"])?;
    let bundle = history["purchases"][0]["evidence"].as_str();
    let bundle = bundle.ok_or_else(|| Error::other("the purchase has left no evidence"))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo");
    std::fs::create_dir_all(&folder)?;
    let (kept, root) = (folder.join("purchase.kozeni"), folder.join("root.pem"));
    std::fs::copy(bundle, &kept)?;
    std::fs::copy(world.path("ca/root.pem"), &root)?;
    let (file, ca) = (kept.display().to_string(), root.display().to_string());
    let checked = world.command(&["evidence", "verify", &file, "--ca", &ca]).status()?;
    if !checked.success() {
        return Err(Error::other("the evidence does not prove the purchase"));
    }
    kept.canonicalize()
}

fn show_balances(world: &World) -> io::Result<(Value, Value, Value)> {
    heading("Balances");
    let books = world.balances()?;
    let reader = world.slot.reader();
    let card = world.done(&["card", "balance", "--reader", reader])?;
    println!("{:10} {:>8}  by the card itself", "card", card["balance"]);
    let accounts = books["accounts"].clone();
    for account in accounts.as_array().into_iter().flatten() {
        let name = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
        println!("{:10} {:>8}  {}", name("kind"), account["balance"], name("owner"));
    }
    println!("issued {} = accounted {}", books["issued"], books["accounted"]);
    if books["issued"] != books["accounted"] {
        return Err(Error::other("the books do not add up"));
    }
    let balances = json!({"card": card["balance"], "accounts": accounts});
    Ok((balances, books["issued"].clone(), books["accounted"].clone()))
}
