//! How a push of a receipt ends (220).

use protocol::Reject;
use protocol::field::Number;
use protocol::form::{self, Form};
use protocol::purchase::{Answer, Completion, CompletionReply, ReceiptCopy, Refused};
use protocol::signed::Signed;

use super::shop::TestShop;
use super::world::World;
use crate::outbox::judge;
use crate::store::{Push, PushEnd};

fn granted<T: Form>(content: T, shop: &TestShop) -> CompletionReply {
    let document = Signed::seal(content, &shop.signer).unwrap().bytes().to_vec();
    CompletionReply { number: Number, answer: Answer::Granted(document.into()) }
}

fn refused(code: Reject, request: &[u8], shop: &TestShop) -> CompletionReply {
    let content = Refused::new(220, request, code, super::world::START);
    let document = Signed::seal(content, &shop.signer).unwrap().bytes().to_vec();
    CompletionReply { number: Number, answer: Answer::Refused(document.into()) }
}

#[test]
fn only_the_shop_of_the_receipt_ends_its_push() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    world.buy(&mut card, 100);
    let other_shop = world.new_shop(*b"shop 002", "Other");
    let push = |world: &World| -> Vec<Push> {
        world.service.store.read(|books| books.pushes(world.now, 10)).unwrap()
    };
    let first = push(&world).remove(0);
    let judge = |reply: &CompletionReply| judge(reply, &first, &world.service.trust, world.now);
    let completion = Completion {
        number: Number,
        transaction: apdu_spec::value::TransactionId([0; 16]),
        receipt_hash: first.receipt,
        time: world.now,
    };
    let mut wrong = completion.clone();
    wrong.receipt_hash.0[0] ^= 1;
    let never = Reject::ReceiptNotAuthorised;
    let copy = ReceiptCopy { number: Number, receipt: first.bytes.clone().into() };
    let copy = form::encode(&copy);
    assert_eq!(judge(&granted(completion.clone(), &world.shop)), Ok(PushEnd::Delivered));
    assert_eq!(judge(&refused(never, &copy, &world.shop)), Ok(PushEnd::Refused));
    for reply in [
        granted(completion.clone(), &other_shop),
        granted(wrong, &world.shop),
        refused(never, &copy, &other_shop),
        refused(never, b"another 210", &world.shop),
        refused(Reject::RevocationUnknown, &copy, &world.shop),
        CompletionReply { number: Number, answer: Answer::Granted(vec![0].into()) },
    ] {
        assert!(judge(&reply).is_err(), "{reply:?}");
    }
    let end = |end| world.service.store.apply(|books| books.end_push(&first.receipt, end));
    end(PushEnd::Delivered).unwrap();
    assert!(push(&world).is_empty());
}
