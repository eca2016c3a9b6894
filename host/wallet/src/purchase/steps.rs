//! The buyer's side of each message of a purchase (source Fig. 8): what is sent, and what an answer
//! must be to be accepted. Nothing here reads a clock, sends or stores anything.

use apdu_spec::command::{DebitFields, OrderFields};
use apdu_spec::record::{DebitRecord, DebitRequest, Order, Permit};
use apdu_spec::value::{PaymentId, PublicKey, Time};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::{Authority, Party, Role};
use protocol::field::Number;
use protocol::form;
use protocol::purchase::{
    Answer, Booking, CertificateReply, CertificateRequest, Completion, CompletionReply, Invoice,
    InvoiceMessage, OrderMessage, PermitReply, PermitRequest, Receipt, ReceiptCopy, ReceiptRepeat,
    ReceiptReply, ReceiptRequest, ShopIntroduction, SuspenseNotice, ValueMessage,
};

use super::progress::{
    Completed, Debited, Earlier, Introduced, Invoiced, Ordered, Ordering, Permitted, Received,
    Requested,
};
use crate::kept::{Kept, KeptRecord, leaf_key};
use crate::rejection::{By, Rejection, agree, not_kept, not_trusted, refused};

/// What answers are judged by.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The trusted root and the revocation lists at hand.
    pub authority: Authority,
    /// The wallet's clock.
    pub now: Time,
}

impl Judge {
    /// Checks a chain, as part of a message.
    pub(crate) fn verify(
        &self,
        message: u16,
        chain: &[Vec<u8>],
        role: Role,
    ) -> Result<Party, Rejection> {
        self.authority.verify(chain, role, self.now).map_err(not_trusted(message))
    }
}

impl Ordering {
    /// 110.
    #[must_use]
    pub const fn message(&self) -> CertificateRequest {
        CertificateRequest { number: Number, nonce: self.nonce }
    }

    /// 120: the shop's certificate, for the shop whose catalogue the order was made from.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn answered(
        &self,
        reply: &CertificateReply,
        judge: &Judge,
    ) -> Result<Introduced, Rejection> {
        let introduction = Kept::<ShopIntroduction>::open_own(&reply.introduction);
        let introduction = introduction.map_err(not_kept(120))?;
        let shop = judge.verify(120, introduction.chain(), Role::Shop)?;
        agree(120, introduction.nonce == self.nonce, "answers another 110")?;
        let wrong = |what| Rejection::own(120, Reject::WrongShop, what);
        if introduction.shop != shop.shop() {
            return Err(wrong("names another shop than its certificate"));
        }
        if self.shop != shop.shop() {
            return Err(wrong("the catalogue is another shop's"));
        }
        Ok(Introduced { ordering: self.clone(), introduction, shop_name: shop.name })
    }
}

impl Introduced {
    /// What the card signs in SIGN ORDER.
    #[must_use]
    pub fn fields(&self) -> OrderFields {
        OrderFields {
            request: self.ordering.request,
            shop: self.ordering.shop,
            request_hash: self.ordering.order_request().hash(),
            amount: self.ordering.amount,
            currency: self.ordering.currency,
        }
    }

    /// Takes the card's order record.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn signed(&self, record: &[u8]) -> Result<Ordered, Rejection> {
        let holder = &self.ordering.holder;
        let record = KeptRecord::<Order>::open(record, &holder.key).map_err(not_kept(130))?;
        let fields = self.fields();
        let expected = Order {
            card: holder.card,
            shop: fields.shop,
            amount: fields.amount,
            currency: fields.currency,
            request: fields.request,
            request_hash: fields.request_hash,
        };
        agree(130, **record == expected, "the card signed another order")?;
        Ok(Ordered { introduced: self.clone(), record })
    }

    fn shop_key(&self, message: u16) -> Result<PublicKey, Rejection> {
        self.introduction.key().map_err(not_trusted(message))
    }
}

impl Ordered {
    /// 130.
    #[must_use]
    pub fn message(&self) -> OrderMessage {
        let ordering = &self.introduced.ordering;
        let lines = ordering.lines.iter();
        OrderMessage {
            number: Number,
            request: form::encode(&ordering.order_request()).into(),
            record: self.record.bytes().to_vec().into(),
            chain: ordering.holder.chain.clone(),
            lines: lines.map(|line| form::encode(line).into()).collect(),
        }
    }

    /// 140: the invoice, signed by the same shop, for exactly this order.
    ///
    /// # Errors
    /// The shop's [`Rejection`], or the wallet's.
    pub fn answered(&self, reply: &InvoiceMessage, judge: &Judge) -> Result<Invoiced, Rejection> {
        let shop_key = self.introduced.shop_key(140)?;
        let invoice = match &reply.answer {
            Answer::Granted(invoice) => Kept::<Invoice>::open(invoice, &shop_key),
            Answer::Refused(document) => {
                let request = self.message();
                return Err(refused(By::Shop, 140, document, &shop_key, &request));
            }
        };
        let invoice = invoice.map_err(not_kept(140))?;
        judge.verify(140, invoice.chain(), Role::Shop)?;
        self.check_issued(&invoice, judge)?;
        self.check_order(&invoice)?;
        self.check_payee(&invoice, judge)?;
        if invoice.due <= judge.now {
            return Err(Rejection::own(140, Reject::PastDue, "is past due already"));
        }
        Ok(Invoiced { ordered: self.clone(), invoice })
    }

    /// Evidence judges shop and holder at the time that the invoice names: it must stand then, too.
    fn check_issued(&self, invoice: &Kept<Invoice>, judge: &Judge) -> Result<(), Rejection> {
        let holder: Vec<Vec<u8>> =
            self.introduced.ordering.holder.chain.iter().map(|der| der.to_vec()).collect();
        for (chain, role) in [(invoice.chain(), Role::Shop), (&holder, Role::Holder)] {
            let judged = judge.authority.verify_later(chain, role, invoice.issued, judge.now);
            judged.map_err(not_trusted(140))?;
        }
        Ok(())
    }

    fn check_order(&self, invoice: &Invoice) -> Result<(), Rejection> {
        let ordering = &self.introduced.ordering;
        let order = ordering.order_request();
        let same = |holds, otherwise| agree(140, holds, otherwise);
        same(invoice.request == order.request, "for another order")?;
        same(invoice.order_hash == order.hash(), "for another order request")?;
        same(invoice.lines == order.lines, "lists other lines")?;
        same(invoice.amount == order.amount, "another amount")?;
        same(invoice.currency == order.currency, "another currency")?;
        same(invoice.mode == order.mode, "another payment mode")?;
        same(invoice.shop == order.shop, "names another shop")?;
        same(invoice.shop_name == self.introduced.shop_name, "another shop name")?;
        if invoice.payer == ordering.holder.payer {
            Ok(())
        } else {
            let text = "names another payer";
            Err(Rejection::own(140, Reject::WrongPayer, text))
        }
    }

    /// An invoice that another issuer's P shall collect is refused before D1.
    fn check_payee(&self, invoice: &Invoice, judge: &Judge) -> Result<(), Rejection> {
        let chain: Vec<Vec<u8>> = invoice.payment_chain.iter().map(|der| der.to_vec()).collect();
        let payee = judge.verify(140, &chain, Role::PaymentServer)?;
        if payee.issuer() != self.introduced.ordering.holder.issuer {
            let text = "names another issuer's payment server";
            return Err(Rejection::own(140, Reject::WrongIssuer, text));
        }
        agree(140, invoice.payee == payee.name, "another payee than its certificate")?;
        let url = invoice.payment_url.as_str();
        let web = url.starts_with("http://") || url.starts_with("https://");
        agree(140, web, "the payment address is not one of the web")
    }
}

impl Invoiced {
    /// What the card signs in SIGN REQUEST (D1).
    #[must_use]
    pub fn fields(&self) -> DebitFields {
        DebitFields {
            invoice_hash: self.invoice.hash(),
            shop: self.invoice.shop,
            amount: self.invoice.amount,
            currency: self.invoice.currency,
        }
    }

    /// Takes the card's request record. `earlier` are permits that were asked for before.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn requested(&self, record: &[u8], earlier: Vec<Earlier>) -> Result<Requested, Rejection> {
        let holder = &self.ordering().holder;
        let request = KeptRecord::<DebitRequest>::open(record, &holder.key);
        let request = request.map_err(not_kept(150))?;
        let fields = self.fields();
        let expected = DebitRequest {
            card: holder.card,
            debit_seq: request.debit_seq,
            invoice_hash: fields.invoice_hash,
            shop: fields.shop,
            amount: fields.amount,
            currency: fields.currency,
        };
        agree(150, **request == expected, "the card signed another request")?;
        Ok(Requested { invoiced: self.clone(), request, earlier })
    }

    /// P's key: the one in the invoice, and no other (source step 360).
    pub(crate) fn payment_key(&self, message: u16) -> Result<PublicKey, Rejection> {
        let leaf: Vec<Vec<u8>> =
            self.invoice.payment_chain.iter().take(1).map(|der| der.to_vec()).collect();
        leaf_key(&leaf).map_err(not_trusted(message))
    }
}

impl Requested {
    /// 150.
    #[must_use]
    pub fn message(&self) -> PermitRequest {
        PermitRequest {
            number: Number,
            invoice: self.invoiced.invoice.bytes().to_vec().into(),
            request: self.request.bytes().to_vec().into(),
            chain: self.invoiced.ordering().holder.chain.clone(),
        }
    }

    /// 160: the permit, signed under P's certificate in the invoice, for exactly this request.
    ///
    /// # Errors
    /// P's [`Rejection`], or the wallet's.
    pub fn answered(&self, reply: &PermitReply) -> Result<Permitted, Rejection> {
        let key = self.invoiced.payment_key(160)?;
        let permit = match &reply.answer {
            Answer::Granted(permit) => KeptRecord::<Permit>::open(permit, &key),
            Answer::Refused(document) => {
                let request = self.message();
                return Err(refused(By::PaymentServer, 160, document, &key, &request));
            }
        };
        let permit = permit.map_err(not_kept(160))?;
        let granted = DebitRequest {
            card: permit.card,
            debit_seq: permit.debit_seq,
            invoice_hash: permit.invoice_hash,
            shop: permit.shop,
            amount: permit.amount,
            currency: permit.currency,
        };
        agree(160, granted == **self.request, "permits another request")?;
        let in_time = permit.expiry <= self.invoiced.invoice.due;
        agree(160, in_time, "outlives the invoice's due time")?;
        Ok(Permitted { requested: self.clone(), permit })
    }
}

impl Permitted {
    /// Takes the card's debit record, of this permit or of an earlier one for the same invoice.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn debited(&self, record: &[u8]) -> Result<Debited, Rejection> {
        let holder = &self.requested.invoiced.ordering().holder;
        let debit = KeptRecord::<DebitRecord>::open(record, &holder.key);
        let debit = debit.map_err(not_kept(170))?;
        let mut permitted = self.clone();
        if **debit != self.permit.debit_record() {
            let mut earlier = self.requested.earlier.iter();
            let used = earlier.find(|earlier| **debit == earlier.permit.debit_record());
            let Some(used) = used.cloned() else {
                return Err(Rejection::differs(170, "the card debited something else"));
            };
            permitted.permit = used.permit;
            permitted.requested.request = used.request;
        }
        Ok(Debited { permitted, debit: Some(debit) })
    }

    /// The sequence is consumed and the record has left the journal: only P can say by what.
    #[must_use]
    pub fn debited_unseen(&self) -> Debited {
        Debited { permitted: self.clone(), debit: None }
    }

    /// The permit has ended without a debit: the request again, remembering it.
    #[must_use]
    pub fn ended(&self) -> Requested {
        let mut requested = self.requested.clone();
        let payment = self.permit.payment;
        let known = requested.earlier.iter().any(|earlier| earlier.permit.payment == payment);
        if !known {
            requested
                .earlier
                .push(Earlier { request: requested.request.clone(), permit: self.permit.clone() });
        }
        requested
    }
}

/// What P says has become of a debit.
#[derive(Clone, Debug)]
pub enum Booked {
    /// It paid: receipt 53.
    Paid(Box<Received>),
    /// It could not pay: its value waits for the card.
    Suspended(Box<Kept<SuspenseNotice>>),
    /// It is booked; receipt or notice come with 200.
    Ask,
}

impl Debited {
    /// 170; `None` where only P has the record.
    #[must_use]
    pub fn message(&self) -> Option<ValueMessage> {
        let debit = self.debit.as_ref()?;
        Some(ValueMessage { number: Number, record: debit.bytes().to_vec().into() })
    }

    /// 190.
    #[must_use]
    pub fn repeat_message(&self) -> ReceiptRequest {
        ReceiptRequest { number: Number, payment: self.payment() }
    }

    /// P's number for the payment.
    #[must_use]
    pub fn payment(&self) -> PaymentId {
        self.permitted.permit.payment
    }

    /// 180.
    ///
    /// # Errors
    /// P's [`Rejection`], or the wallet's. The value has left the card: no rejection ends this.
    pub fn answered(&self, reply: &ReceiptReply, judge: &Judge) -> Result<Booked, Rejection> {
        match (&reply.answer, self.message()) {
            (Booking::Ask, _) => Ok(Booked::Ask),
            (Booking::Refused(document), Some(request)) => {
                let key = self.permitted.requested.invoiced.payment_key(180)?;
                Err(refused(By::PaymentServer, 180, document, &key, &request))
            }
            (Booking::Refused(_) | Booking::Paid(_) | Booking::Suspended(_), _) => {
                self.booked(180, &reply.answer, judge)
            }
        }
    }

    /// 200.
    ///
    /// # Errors
    /// P's [`Rejection`], or the wallet's.
    pub fn repeated(&self, reply: &ReceiptRepeat, judge: &Judge) -> Result<Booked, Rejection> {
        if let Booking::Refused(document) = &reply.answer {
            let key = self.permitted.requested.invoiced.payment_key(200)?;
            let request = self.repeat_message();
            return Err(refused(By::PaymentServer, 200, document, &key, &request));
        }
        self.booked(200, &reply.answer, judge)
    }

    fn booked(&self, message: u16, answer: &Booking, judge: &Judge) -> Result<Booked, Rejection> {
        let key = self.permitted.requested.invoiced.payment_key(message)?;
        match answer {
            Booking::Paid(receipt) => {
                let receipt = Kept::<Receipt>::open(receipt, &key).map_err(not_kept(message))?;
                self.check_receipt(message, &receipt)?;
                let lists = judge.authority.lists().map(|list| ByteVec::from(list.to_vec()));
                Ok(Booked::Paid(Box::new(Received {
                    debited: self.clone(),
                    receipt,
                    lists: lists.collect(),
                })))
            }
            Booking::Suspended(notice) => {
                let notice =
                    Kept::<SuspenseNotice>::open(notice, &key).map_err(not_kept(message))?;
                self.check_notice(message, &notice)?;
                Ok(Booked::Suspended(Box::new(notice)))
            }
            Booking::Ask | Booking::Refused(_) => {
                Err(Rejection::own(message, Reject::Malformed, "no answer to this message"))
            }
        }
    }

    fn check_receipt(&self, message: u16, receipt: &Receipt) -> Result<(), Rejection> {
        let invoice = &self.permitted.requested.invoiced.invoice;
        let same = |holds, otherwise| agree(message, holds, otherwise);
        same(receipt.invoice_hash == invoice.hash(), "for another invoice")?;
        same(receipt.debit_hash == self.debit_hash(), "for another debit")?;
        same(receipt.payment == self.payment(), "for another payment")?;
        same(receipt.transaction == invoice.transaction, "another transaction")?;
        same(receipt.payer == invoice.payer, "names another payer")?;
        same(receipt.amount == invoice.amount, "another amount")?;
        same(receipt.currency == invoice.currency, "another currency")?;
        same(receipt.mode == invoice.mode, "another payment mode")?;
        same(receipt.shop == invoice.shop, "names another shop")?;
        same(receipt.shop_name == invoice.shop_name, "another shop name")?;
        same(receipt.recipient == invoice.payee, "another recipient")?;
        same(receipt.time <= invoice.due, "dated after the due time")
    }

    fn check_notice(&self, message: u16, notice: &SuspenseNotice) -> Result<(), Rejection> {
        let permit = &self.permitted.permit;
        let same = |holds, otherwise| agree(message, holds, otherwise);
        same(notice.payment == permit.payment, "for another payment")?;
        same(notice.card == permit.card, "for another card")?;
        same(notice.debit_seq == permit.debit_seq, "for another sequence")?;
        same(notice.amount == permit.amount, "another amount")?;
        same(notice.currency == permit.currency, "another currency")?;
        same(notice.invoice_hash == permit.invoice_hash, "for another invoice")?;
        same(notice.debit_hash == self.debit_hash(), "for another debit")?;
        let issuer = self.permitted.requested.invoiced.ordering().holder.issuer;
        same(notice.issuer == issuer, "of another issuer")
    }
}

impl Received {
    /// 210.
    #[must_use]
    pub fn message(&self) -> ReceiptCopy {
        ReceiptCopy { number: Number, receipt: self.receipt.bytes().to_vec().into() }
    }

    /// 220: "complete", for this receipt.
    ///
    /// # Errors
    /// The shop's [`Rejection`], with [`Reject::ReceiptNotAuthorised`] where it does not authorise
    /// the receipt, or the wallet's.
    pub fn answered(&self, reply: &CompletionReply) -> Result<Completed, Rejection> {
        let invoiced = self.invoiced();
        let key = invoiced.ordered.introduced.shop_key(220)?;
        let completion = match &reply.answer {
            Answer::Granted(completion) => Kept::<Completion>::open(completion, &key),
            Answer::Refused(document) => {
                let request = self.message();
                return Err(refused(By::Shop, 220, document, &key, &request));
            }
        };
        let completion = completion.map_err(not_kept(220))?;
        let hash = completion.receipt_hash == self.receipt.hash();
        agree(220, hash, "for another receipt")?;
        let transaction = completion.transaction == invoiced.invoice.transaction;
        agree(220, transaction, "another transaction")?;
        Ok(Completed { received: self.clone(), completion })
    }
}
