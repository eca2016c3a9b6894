//! Stories with a card, a shop and a payment server in memory.

mod credits;
mod detours;
mod interface;
mod interruptions;
mod refusals;
mod secrecy;
mod stories;

use apdu_spec::value::{Pin, RequestId};
use protocol::purchase::PaymentMode;

use crate::catalogue::Wish;
use crate::doubles::{PIN, Setup};
use crate::outside::Outside;
use crate::purchase::{State, Url};
use crate::store::Stored;
use crate::trouble::Trouble;
use crate::workflow::{Basket, Decision, Wallet};

fn pin() -> Option<Pin> {
    Some(Pin::from_digits(PIN).unwrap())
}

/// An order of 4,000 yen, as in the source's Fig. 14.
fn basket() -> Basket {
    wish(&[("A", 1), ("C", 2)])
}

fn wish(wishes: &[(&str, u32)]) -> Basket {
    let wishes = wishes
        .iter()
        .map(|(article, quantity)| Wish { article: (*article).to_owned(), quantity: *quantity });
    Basket {
        id: Some(RequestId([0xb1; 16])),
        shop_url: Url::new("http://m").unwrap(),
        wishes: wishes.collect(),
        mode: PaymentMode::ElectronicMoney,
    }
}

const ID: RequestId = RequestId([0xb1; 16]);

/// Takes a purchase to its invoice.
async fn to_invoice<O: Outside>(wallet: &Wallet<O>) -> Result<Stored<State>, Trouble> {
    wallet.create(&basket()).await?;
    wallet.decide(ID, Decision::Order, None).await?;
    wallet.decide(ID, Decision::Accept, None).await
}

/// Takes a purchase to its end.
async fn buy<O: Outside>(wallet: &Wallet<O>) -> Result<Stored<State>, Trouble> {
    to_invoice(wallet).await?;
    wallet.decide(ID, Decision::Confirm, pin()).await
}

fn state_of<O: Outside>(wallet: &Wallet<O>) -> &'static str {
    wallet.store.purchase(ID).unwrap().unwrap().state.name()
}

/// Value is where it should be, once and nowhere else.
fn check_paid_once(setup: &Setup) {
    let (world, card) = (setup.world(), setup.card.content());
    assert_eq!(card.spent, 4_000);
    assert_eq!(world.payment.received, 4_000);
    assert_eq!(world.payment.bookings.len(), 1);
    assert_eq!(world.shop.completed.len(), 1);
}
