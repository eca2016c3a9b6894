//! The server over HTTP.

use std::time::Duration;

use apdu_spec::value::Nonce;
use ca::{Ca, Reason, Settings, Target};
use protocol::Reject;
use protocol::certificate::{Authority, CertificateError, Role, read_pem};
use protocol::enrolment::{
    ENROLMENT_PATH, EnrolmentNonceReply, EnrolmentNonceRequest, EnrolmentReply, NONCE_PATH,
};
use protocol::field::Number;
use server::{Peer, PeerError, Stop, Trust};
use tokio::sync::oneshot;

use crate::world::{CARD, PASSPHRASE, TestCard, World, chain, enrolment_request};

/// Starts the world's CA and asks it things, then stops it.
fn with_server(world: &World, ask: impl AsyncFnOnce(Peer)) {
    let passphrase_file = world.file("passphrase", PASSPHRASE.as_bytes());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&passphrase_file, mode).unwrap();
    let settings = Settings {
        folder: world.folder.path().to_owned(),
        passphrase_file: passphrase_file.into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        list_life_s: 3_600,
        holder_days: 30,
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stop = Stop::on_signals().unwrap();
        let (ready, address) = oneshot::channel();
        let told = |address| ready.send(address).unwrap();
        let serving = ca::serve_until(&settings, told, stop.clone());
        let asking = async {
            let base = format!("http://{}", address.await.unwrap());
            ask(Peer::new(&base, Duration::from_secs(10)).unwrap()).await;
            stop.set();
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
    });
}

async fn nonce(peer: &Peer) -> Nonce {
    let request = EnrolmentNonceRequest { number: Number };
    let reply: EnrolmentNonceReply = peer.ask(NONCE_PATH, &request).await.unwrap();
    reply.nonce
}

fn code_of(refused: Result<EnrolmentReply, PeerError>) -> u16 {
    let Err(PeerError::Refused { status: 400, text, .. }) = refused else {
        panic!("{refused:?}");
    };
    let digits = text.split("\"code\":").nth(1).unwrap();
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_card_enrols_and_everybody_can_check_it() {
    let world = World::new();
    world.payment(1);
    let code = world.code("1234567890");
    let card = TestCard::new(CARD);
    with_server(&world, async |peer| {
        let record = card.record(nonce(&peer).await);
        let wrong = enrolment_request("00000-00000-00000-00000", &record);
        let refused = peer.ask(ENROLMENT_PATH, &wrong).await;
        assert_eq!(code_of(refused), Reject::EnrolmentCodeNotValid.code());

        let record = card.record(nonce(&peer).await);
        let request = enrolment_request(&code, &record);
        let reply: EnrolmentReply = peer.ask(ENROLMENT_PATH, &request).await.unwrap();
        let again: EnrolmentReply = peer.ask(ENROLMENT_PATH, &request).await.unwrap();
        assert_eq!(again, reply);

        let root = peer.fetch("/root.pem").await.unwrap();
        let root = read_pem(str::from_utf8(&root).unwrap());
        assert_eq!(root, [world.ca.root().to_vec()]);
        let issuing = peer.fetch("/issuing.pem").await.unwrap();
        assert_eq!(read_pem(str::from_utf8(&issuing).unwrap()), chain(&reply)[1..]);
        let mut authority = Authority::new(&root[0]).unwrap();
        for path in ["/lists/root.crl", "/lists/issuing.crl"] {
            authority.add_list(&peer.fetch(path).await.unwrap()).unwrap();
        }
        let party = authority.verify(&chain(&reply), Role::Holder, server::now());
        let party = party.unwrap();
        assert_eq!((party.card(), party.key), (card.card, card.key()));
        assert!(party.not_after.0 <= server::now().0 + 30 * 24 * 3_600);
        let card_root = peer.fetch("/card-root").await.unwrap();
        let card_root = str::from_utf8(&card_root).unwrap().trim().parse();
        assert_eq!(card_root, Ok(world.ca.card_root()));
    });
}

#[test]
fn a_revocation_by_another_process_shows_at_the_next_fetch() {
    let world = World::new();
    let chain = world.shop_chain();
    let root =
        world.file("root.pem", ca::write_pem(&[world.ca.root().to_vec()]).unwrap().as_bytes());
    with_server(&world, async |peer| {
        let trust = Trust::from_file(root.as_ref()).unwrap();
        trust.refresh(&peer).await.unwrap();
        let now = server::now();
        assert!(trust.verify(&chain, Role::Shop, now).is_ok());
        let first = peer.fetch("/lists/issuing.crl").await.unwrap();
        assert_eq!(peer.fetch("/lists/issuing.crl").await.unwrap(), first);

        let operator = Ca::open(world.folder.clone()).unwrap();
        let shop = Target::Shop(crate::world::SHOP);
        operator.revoke(shop, Reason::Unspecified, now).unwrap();
        trust.refresh(&peer).await.unwrap();
        let verified = trust.verify(&chain, Role::Shop, now);
        assert_eq!(verified, Err(CertificateError::Revoked));
    });
}
