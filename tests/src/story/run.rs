//! Runs a story on a card.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use apdu_spec::answer::Balance;
use apdu_spec::value::{Amount, Nonce};

use super::check::{check, check_status};
use super::make::{CURRENCY, make};
use super::parse::{Action, Story};
use super::scene::Scene;
use super::{Place, StoryError};
use crate::carrier::Carrier;
use crate::keys::sha256;

/// What running a story has shown besides that it is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How long each APDU took, from sending to the whole answer.
    pub times: Vec<Duration>,
}

/// A story that is being told to a card.
pub struct Runner<'a> {
    carrier: &'a mut dyn Carrier,
    scene: Scene,
    report: Report,
}

impl<'a> Runner<'a> {
    /// A runner for a card that has power.
    pub fn new(carrier: &'a mut dyn Carrier) -> Self {
        Self { carrier, scene: Scene::new(), report: Report::default() }
    }

    /// Runs a whole story.
    ///
    /// # Errors
    /// The first thing that is not as told, with its place in the file.
    pub fn run(mut self, story: &Story) -> Result<Report, StoryError> {
        self.play(story)?;
        Ok(self.report)
    }

    /// Runs a story that another one can follow on the same card.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn play(&mut self, story: &Story) -> Result<(), StoryError> {
        for step in &story.steps {
            self.act(&step.action)
                .map_err(|message| StoryError { place: Place::clone(&step.place), message })?;
        }
        Ok(())
    }

    /// The bytes that have a name by now.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, Vec<u8>> {
        self.scene.variables.clone()
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Send(command, expected) => {
                let command = command.fill_in(&self.scene.variables)?;
                let answer = self.transmit(&command)?;
                let bound = expected.check(&self.scene.variables, &answer)?;
                self.scene.variables.extend(bound);
            }
            Action::Let(name, bytes) => {
                let bytes = bytes.fill_in(&self.scene.variables)?;
                self.scene.variables.insert(name.clone(), bytes);
            }
            Action::Make(directive) => make(&mut self.scene, directive)?,
            Action::Check(directive) if directive.kind == "status" => {
                let nonce = self.nonce();
                let command = [&[0x80, 0x5a, 0, 0, 16], nonce.0.as_slice(), &[0]].concat();
                let data = self.data_of(&command)?;
                check_status(&self.scene, &directive.arguments, nonce, &data)?;
            }
            Action::Check(directive) => check(&mut self.scene, directive)?,
            Action::Balance(amount) => {
                let data = self.data_of(&[0x80, 0x5c, 0, 0, 0])?;
                let expected = Balance { balance: Amount(*amount), currency: CURRENCY };
                match Balance::decode(&data) {
                    Ok(found) if found == expected => {}
                    Ok(found) => return Err(format!("expected {expected:?}\n     got {found:?}")),
                    Err(error) => return Err(format!("GET BALANCE: {error}")),
                }
            }
            Action::Reset => self.carrier.reset()?,
            Action::PowerCycle => self.carrier.power_cycle()?,
        }
        Ok(())
    }

    /// A nonce of its own for each question.
    fn nonce(&self) -> Nonce {
        let hash = sha256(&self.report.times.len().to_be_bytes()).0;
        Nonce(*hash.first_chunk().expect("16 of 32 bytes"))
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        let start = Instant::now();
        let answer = self.carrier.transmit(command)?;
        self.report.times.push(start.elapsed());
        Ok(answer)
    }

    fn data_of(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        let answer = self.transmit(command)?;
        match answer.strip_suffix(&[0x90, 0x00]) {
            Some(data) => Ok(data.to_vec()),
            None => Err(format!("expected 9000\n     got {answer:02X?}")),
        }
    }
}

#[cfg(test)]
mod tests;
