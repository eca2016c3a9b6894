//! Cards and shops.

use apdu_spec::value::{CardId, Hash, PublicKey, Sequence, ShopId, Time};
use protocol::certificate::{Party, PartyName};

use super::evidence::Introduced;
use super::{Books, StoreError};

/// What P knows of a card that has shown its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) key: PublicKey,
    pub(crate) is_closed: bool,
    pub(crate) acks: Acks,
}

/// P durably knows *every* sequence up to these (Invariant P).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acks {
    pub(crate) debit: Sequence,
    pub(crate) credit: Sequence,
}

/// A shop that this server collects for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shop {
    pub(crate) name: PartyName,
    pub(crate) push_url: String,
}

impl Books<'_> {
    pub(crate) fn card(&self, card: &CardId) -> Result<Option<Card>, StoreError> {
        self.row(
            "SELECT public_key, status = 'closed', ack_debit, ack_credit
             FROM cards WHERE card = $1",
            &[card.into()],
            |row| {
                Ok(Card {
                    key: row.at(0)?,
                    is_closed: row.at::<i64>(1)? != 0,
                    acks: Acks { debit: row.at(2)?, credit: row.at(3)? },
                })
            },
        )
    }

    /// Keeps a card's chain, so that its records can be checked when it sends none.
    pub(crate) fn keep_card(&self, card: &Introduced, now: Time) -> Result<(), StoreError> {
        let Party { name, payer, key, .. } = &card.party;
        let chain = self.keep_chain(&card.chain, now)?;
        self.execute(
            "INSERT INTO cards (card, public_key, chain, payer, holder, status, ack_debit,
                 ack_credit, seen)
             VALUES ($1, $2, $3, $4, $5, 'open', 0, 0, $6)
             ON CONFLICT (card) DO UPDATE SET chain = excluded.chain, payer = excluded.payer,
                 holder = excluded.holder, seen = excluded.seen
             WHERE cards.chain <> excluded.chain",
            &[
                (&card.party.card()).into(),
                key.into(),
                (&chain).into(),
                payer.as_ref().map_or("", |payer| payer.as_str()).into(),
                name.as_str().into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Raises the acknowledgements of a card over everything that follows without a gap.
    pub(crate) fn raise_acks(&self, card: &CardId) -> Result<(), StoreError> {
        let acks = self.card(card)?.map(|card| card.acks).unwrap_or_default();
        let debit = self.without_gap(
            "SELECT 1 FROM debits WHERE card = $1 AND debit_seq = $2",
            card,
            acks.debit,
        )?;
        let credit = self.without_gap(
            "SELECT 1 FROM slots WHERE card = $1 AND slot = $2",
            card,
            acks.credit,
        )?;
        self.execute(
            "UPDATE cards SET ack_debit = $2, ack_credit = $3 WHERE card = $1",
            &[card.into(), debit.into(), credit.into()],
        )?;
        Ok(())
    }

    fn without_gap(
        &self,
        sql: &str,
        card: &CardId,
        from: Sequence,
    ) -> Result<Sequence, StoreError> {
        let mut last = from;
        while let Some(next) = last.next() {
            if !self.has(sql, &[card.into(), next.into()])? {
                break;
            }
            last = next;
        }
        Ok(last)
    }

    /// Keeps the first record in which a card contradicts itself.
    pub(crate) fn keep_contradiction(
        &self,
        card: &CardId,
        kind: &str,
        sequence: Sequence,
        record: &Hash,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO contradictions (card, kind, sequence, record) VALUES ($1, $2, $3, $4)
             ON CONFLICT (card, kind, sequence) DO NOTHING",
            &[card.into(), kind.into(), sequence.into(), record.into()],
        )?;
        Ok(())
    }

    pub(crate) fn shop(&self, shop: &ShopId) -> Result<Option<Shop>, StoreError> {
        self.row("SELECT name, push_url FROM shops WHERE shop = $1", &[shop.into()], |row| {
            let name = PartyName::new(row.at::<String>(0)?);
            Ok(Shop {
                name: name.map_err(|_| StoreError::Damaged("name of a shop".to_owned()))?,
                push_url: row.at(1)?,
            })
        })
    }
}
