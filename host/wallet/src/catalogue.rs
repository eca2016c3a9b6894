//! A shop's catalogue (`GET /catalogue`), and an order made from it.

use apdu_spec::value::{Amount, Currency, ShopId};
use protocol::certificate::PartyName;
use protocol::field::Text;
use protocol::form::MESSAGE_MAX;
use protocol::purchase::LINES_MAX;
use serde::{Deserialize, Serialize};

/// Where a shop serves its catalogue.
pub const CATALOGUE_PATH: &str = "/catalogue";

/// What a shop sells. Nothing of it is signed: the order and the invoice are.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The shop's number.
    pub shop: ShopId,
    /// The shop's name, as it says.
    pub name: PartyName,
    /// Currency of all prices.
    pub currency: Currency,
    /// What can be ordered.
    pub goods: Vec<Good>,
}

/// Something that the shop sells.
#[derive(Clone, Debug)]
pub struct Good {
    /// The article number.
    pub article: Text<32>,
    /// Its name.
    pub name: Text<100>,
    /// Price of one in minor units.
    pub unit_price: Amount,
}

/// What the buyer wants of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The article number.
    pub article: String,
    /// How many.
    pub quantity: u32,
}

/// A catalogue or an order from it that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not a catalogue.
    #[error("the shop's catalogue cannot be read: {0}")]
    Malformed(String),
    /// Nothing was ordered, or too much.
    #[error("an order has 1 to {LINES_MAX} articles, of each at least one")]
    Count,
    /// The shop does not sell this.
    #[error("the shop does not sell {0}")]
    UnknownArticle(String),
}

#[derive(Deserialize)]
struct RawCatalogue {
    shop: String,
    name: String,
    currency: String,
    goods: Vec<RawGood>,
}

#[derive(Deserialize)]
struct RawGood {
    article: String,
    name: String,
    unit_price: u64,
}

impl Catalogue {
    /// Reads a catalogue.
    ///
    /// # Errors
    /// [`CatalogueError::Malformed`].
    pub fn parse(json: &[u8]) -> Result<Self, CatalogueError> {
        let malformed = |reason: String| CatalogueError::Malformed(reason);
        if json.len() > MESSAGE_MAX {
            return Err(malformed("too long".to_owned()));
        }
        let raw: RawCatalogue =
            serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        let currency = iso_currency::Currency::from_code(&raw.currency);
        let currency = currency.ok_or_else(|| malformed("unknown currency".to_owned()))?;
        let good = |good: RawGood| {
            Ok(Good {
                article: Text::new(good.article).map_err(|error| malformed(error.to_string()))?,
                name: Text::new(good.name).map_err(|error| malformed(error.to_string()))?,
                unit_price: Amount(good.unit_price),
            })
        };
        Ok(Self {
            shop: raw
                .shop
                .parse()
                .map_err(|error: apdu_spec::codec::CodecError| malformed(error.to_string()))?,
            name: PartyName::new(raw.name).map_err(|error| malformed(error.to_string()))?,
            currency: Currency(currency.numeric()),
            goods: raw.goods.into_iter().map(good).collect::<Result<_, _>>()?,
        })
    }

    /// The goods that the buyer wants, in the buyer's order.
    ///
    /// # Errors
    /// [`CatalogueError::Count`] or [`CatalogueError::UnknownArticle`].
    pub fn pick(&self, wishes: &[Wish]) -> Result<Vec<(&Good, u32)>, CatalogueError> {
        let countable = (1..=LINES_MAX).contains(&wishes.len());
        if !countable || wishes.iter().any(|wish| wish.quantity == 0) {
            return Err(CatalogueError::Count);
        }
        let find = |wish: &Wish| {
            let mut goods = self.goods.iter();
            let good = goods.find(|good| good.article.as_str() == wish.article);
            let good = good.ok_or_else(|| CatalogueError::UnknownArticle(wish.article.clone()))?;
            Ok((good, wish.quantity))
        };
        wishes.iter().map(find).collect()
    }
}
