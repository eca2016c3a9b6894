//! From order sheet 71 to receipt 73: what the buyer sees and decides.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use ::wallet::client::{Client, ClientError};
use ::wallet::view::{Needs, PurchaseView};
use apdu_spec::value::Pin;
use clap::Args;
use serde_json::{Value, json};

use super::pin;
use super::report::Purchase;
use super::screen;
use crate::failure::Failure;
use crate::output::Printer;
use crate::secret::Secrets;

/// How the buyer says OK.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// OK to everything: order sheet, shop, invoice
    #[arg(long)]
    yes: bool,
    /// Read the PIN from this file; - is standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// Goes on until the purchase has ended or cannot go on now.
pub(super) async fn go_on(
    client: &Client,
    mut view: PurchaseView,
    consent: &Consent,
    printer: Printer,
) -> Result<(), Failure> {
    let mut buyer = Buyer { client, consent, printer, secrets: None };
    let mut asked_others = false;
    loop {
        let went = match view.needs {
            Needs::Order => buyer.order(&view).await,
            Needs::Shop => buyer.shop(&view).await,
            Needs::Invoice => buyer.invoice(&view).await,
            Needs::Pin => buyer.confirm(&view).await,
            Needs::Others if !asked_others => {
                asked_others = true;
                buyer.others(&view).await
            }
            Needs::Others | Needs::Nothing => break,
        };
        view = went.map_err(|failure| with_remedy(failure, &view))?;
    }
    end(view, printer)
}

/// What was not finished can be taken up again.
fn with_remedy(failure: Failure, view: &PurchaseView) -> Failure {
    let Failure::WithExit { code, exit_code, text } = failure else {
        return failure;
    };
    let id = &view.purchase;
    let text = format!("{text}\nthe purchase is kept; go on with: kozeni wallet pay {id}");
    Failure::WithExit { code, exit_code, text }
}

struct Buyer<'a> {
    client: &'a Client,
    consent: &'a Consent,
    printer: Printer,
    secrets: Option<Secrets>,
}

impl Buyer<'_> {
    async fn decide(
        &self,
        view: &PurchaseView,
        decision: &str,
        pin: Option<&Pin>,
    ) -> Result<PurchaseView, ClientError> {
        let path = format!("/purchases/{}/{decision}", view.purchase);
        let body = pin.map_or_else(|| json!({}), |pin| json!({ "pin": pin::digits(pin) }));
        self.client.send::<PurchaseView>(&path, &body as &Value).await
    }

    /// Screen 71.
    async fn order(&mut self, view: &PurchaseView) -> Result<PurchaseView, Failure> {
        self.show(&screen::order_sheet(view))?;
        let decision = if self.agrees("Order?")? { "order" } else { "cancel" };
        Ok(self.decide(view, decision, None).await?)
    }

    /// Source step 320: the owner of the certificate is shown.
    async fn shop(&mut self, view: &PurchaseView) -> Result<PurchaseView, Failure> {
        self.show(&screen::shop(view))?;
        if !self.agrees("Is this the shop that you want to buy from?")? {
            return Ok(self.decide(view, "decline", None).await?);
        }
        match self.decide(view, "accept", None).await {
            Err(ClientError::Wallet(content)) if content.kind == "pin_needed" => {
                let pin = self.pin().await?;
                Ok(self.decide(view, "accept", Some(&pin)).await?)
            }
            went => Ok(went?),
        }
    }

    /// Screen 72.
    async fn invoice(&mut self, view: &PurchaseView) -> Result<PurchaseView, Failure> {
        self.show(&screen::invoice(view))?;
        if self.agrees("Pay?")? {
            self.confirm(view).await
        } else {
            Ok(self.decide(view, "cancel", None).await?)
        }
    }

    /// OK to the invoice, with the PIN where the card wants it.
    async fn confirm(&mut self, view: &PurchaseView) -> Result<PurchaseView, Failure> {
        let mut pin = None;
        if view.pin_needed {
            pin = Some(self.pin().await?);
        }
        loop {
            match self.decide(view, "confirm", pin.as_ref()).await {
                Err(ClientError::Wallet(content))
                    if content.kind == "pin_needed" && pin.is_none() =>
                {
                    pin = Some(self.pin().await?);
                }
                // A person may try again; a file has said what it knows.
                Err(ClientError::Wallet(content))
                    if content.kind == "pin_wrong" && self.at_terminal() =>
                {
                    self.show(&content.text)?;
                    pin = Some(self.pin().await?);
                }
                went => return Ok(went?),
            }
        }
    }

    /// Another party or the card, which may want the PIN after all.
    async fn others(&mut self, view: &PurchaseView) -> Result<PurchaseView, Failure> {
        match self.decide(view, "continue", None).await {
            Err(ClientError::Wallet(content)) if content.kind == "pin_needed" => {
                let pin = self.pin().await?;
                Ok(self.decide(view, "confirm", Some(&pin)).await?)
            }
            went => Ok(went?),
        }
    }

    async fn pin(&mut self) -> Result<Pin, Failure> {
        let prompt = pin::prompt(self.client).await?;
        let secrets = match &mut self.secrets {
            Some(secrets) => secrets,
            none @ None => none.insert(Secrets::open_path(self.consent.pin_file.as_deref())?),
        };
        secrets.next(&prompt)
    }

    const fn at_terminal(&self) -> bool {
        matches!(self.secrets, Some(Secrets::Terminal))
    }

    /// Screens go where questions go: standard output belongs to the result.
    fn show(&self, text: &str) -> Result<(), Failure> {
        if self.printer.json && self.consent.yes {
            return Ok(());
        }
        writeln!(io::stderr(), "{}", text.trim_end()).map_err(Failure::io("terminal"))
    }

    /// OK or CANCEL. Without an answer it is CANCEL.
    fn agrees(&self, question: &str) -> Result<bool, Failure> {
        if self.consent.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            let text = "nobody is there to say OK; give --yes";
            return Err(Failure::usage("no_terminal", text));
        }
        let mut terminal = io::stderr();
        let asked = write!(terminal, "{question} [ok/CANCEL] ").and_then(|()| terminal.flush());
        asked.map_err(Failure::io("terminal"))?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(Failure::io("terminal"))?;
        let answer = answer.trim().to_lowercase();
        Ok(matches!(answer.as_str(), "ok" | "o" | "yes" | "y"))
    }
}

/// The result: the receipt, or how it has ended or stands otherwise.
fn end(view: PurchaseView, printer: Printer) -> Result<(), Failure> {
    let Some(failure) = failure(&view) else {
        return printer.print(&Purchase(view));
    };
    if !printer.json {
        return Err(failure);
    }
    // Programs get the purchase, which says the same.
    printer.print(&Purchase(view))?;
    Err(Failure::Told { exit_code: failure.exit_code() })
}

fn failure(view: &PurchaseView) -> Option<Failure> {
    let told = |code, exit_code, text: String| Some(Failure::WithExit { code, exit_code, text });
    let refused = || {
        let refused = view.refused.as_ref();
        refused.map_or_else(String::new, |refused| {
            let super::report::Refusal(text) = refused.into();
            text
        })
    };
    match view.state.as_str() {
        "complete" | "other_means" => None,
        "declined" => told("declined", 5, "declined: nothing was ordered".to_owned()),
        "cancelled_order" => told("cancelled", 5, "cancelled: nothing was ordered".to_owned()),
        "cancelled_invoice" => told("cancelled", 5, "cancelled: nothing was paid".to_owned()),
        "refused" => told("refused", 3, refused()),
        "not_authorised" => {
            let text = format!("paid, but the shop does not accept the receipt: {}", refused());
            told("not_authorised", 3, text)
        }
        "suspended" => {
            let text = "the card was debited, but the invoice could not be paid; \
                        the value comes back to the card by itself";
            told("suspended", 3, text.to_owned())
        }
        "lapsed" => told("lapsed", 1, "not pursued in time; nothing was paid".to_owned()),
        state => {
            let trouble = view.trouble.as_deref().unwrap_or("it waits for another party");
            let id = &view.purchase;
            let text =
                format!("not done yet ({state}): {trouble}\ngo on with: kozeni wallet pay {id}");
            told("not_done_yet", 1, text)
        }
    }
}
